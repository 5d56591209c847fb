#include <stdio.h>

int main(void)
{
    puts("ccmon");
    return 0;
}
