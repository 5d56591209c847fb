/* Streams of HTTP/2 over real sockets, answered from other threads. */
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

enum { DATA, HEADERS, RST = 3, SETTINGS, PING = 6, GOAWAY };
enum { ES = 1, EH = 4, STREAMS = 40 };

static int setup(void **state)
{
    (void)state;
    fx_start((struct http_config){ .check_hosts = true });
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fx_stop();
    return 0;
}

static void put_frame(struct buf *b, int type, int flags, uint32_t id, struct str payload)
{
    const uint8_t head[9] = { (uint8_t)(payload.n >> 16), (uint8_t)(payload.n >> 8), (uint8_t)payload.n, (uint8_t)type, (uint8_t)flags,
                              (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };
    buf_put(b, head, sizeof head);
    buf_str(b, payload);
}

static void put_field(struct buf *b, struct str name, struct str value)
{
    buf_byte(b, 0);
    buf_byte(b, (char)name.n);
    buf_str(b, name);
    buf_byte(b, (char)value.n);
    buf_str(b, value);
}

static void put_head(struct buf *b, uint32_t id, int flags, const char *method, const char *path)
{
    CLEANUP(buf_done) struct buf block;
    buf_init(&block, 4096);
    put_field(&block, S(":method"), str_c(method));
    put_field(&block, S(":scheme"), S("http"));
    put_field(&block, S(":path"), str_c(path));
    put_field(&block, S(":authority"), S("localhost"));
    put_frame(b, HEADERS, flags, id, buf_view(&block));
}

static int open_h2(void)
{
    int fd = cl_open();
    cl_send(fd, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"));
    return fd;
}

static bool read_all(int fd, uint8_t *p, size_t n)
{
    while (n) {
        ssize_t got = recv(fd, p, n, 0);
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

/* The next frame; its type, or -1 at the end. */
static int next_frame(int fd, int *ret_flags, uint32_t *ret_id, uint8_t payload[16384], size_t *ret_n)
{
    uint8_t head[9];
    if (!read_all(fd, head, sizeof head))
        return -1;
    *ret_n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    CHECK(*ret_n <= 16384);
    *ret_flags = head[4];
    *ret_id = (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
    return read_all(fd, payload, *ret_n) ? head[3] : -1;
}

/* Reads until so many streams have ended; bytes of DATA come back. */
static size_t until_ended(int fd, int streams)
{
    static uint8_t payload[16384];
    size_t bytes = 0, n;
    while (streams) {
        int flags;
        uint32_t id;
        int type = next_frame(fd, &flags, &id, payload, &n);
        if (type < 0 || type == GOAWAY || type == RST)
            fail_msg("frame of type %d", type);
        bytes += type == DATA ? n : 0;
        streams -= (type == DATA || type == HEADERS) && flags & ES;
    }
    return bytes;
}

/* Bodies to the pool and to the loops at once, on several connections. */
static void from_the_pool(void **state)
{
    (void)state;
    int fds[4];
    for (size_t c = 0; c < LEN(fds); c++) {
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 1 << 20);
        for (uint32_t i = 0; i < STREAMS; i++) {
            put_head(&b, 2 * i + 1, EH, "POST", i % 2 ? "/pool" : "/echo");
            put_frame(&b, DATA, ES, 2 * i + 1, S("0123456789"));
        }
        fds[c] = open_h2();
        cl_send(fds[c], buf_view(&b));
    }
    for (size_t c = 0; c < LEN(fds); c++) {
        assert_int_equal(until_ended(fds[c], STREAMS), STREAMS * 10);
        cl_close(fds[c]);
    }
    fx_until(fx_no_conns);
}

/* Answered by this thread, while another request waits on the pool until its client resets it. */
static void from_elsewhere(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 16);
    put_head(&b, 1, EH | ES, "GET", "/wait");
    put_head(&b, 3, EH | ES, "GET", "/later");
    int fd = open_h2();
    cl_send(fd, buf_view(&b));
    fx_until(fx_has_later);
    fx_until(fx_is_waiting);
    assert_true(fx_answer("at last"));
    assert_int_equal(until_ended(fd, 1), 7);
    buf_clear(&b);
    put_frame(&b, RST, 0, 1, S("\0\0\0\x08"));
    cl_send(fd, buf_view(&b));
    fx_until(fx_is_cancelled);
    cl_close(fd);
    fx_until(fx_no_conns);
}

static void events(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 16);
    put_head(&b, 1, EH | ES, "GET", "/stream");
    int fd = open_h2();
    cl_send(fd, buf_view(&b));
    fx_until(fx_has_stream);
    for (int i = 0; i < 100; i++)
        assert_true(http_stream_send(fx_stream(), S("data: x\n\n")));
    http_stream_close(fx_stream());
    assert_int_equal(until_ended(fd, 1), 900);
    fx_until(fx_is_closed);
    cl_close(fd);
}

/* A stop lets what runs be answered, says GOAWAY and closes. */
static void stopped(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 16);
    put_head(&b, 1, EH | ES, "GET", "/wait");
    int fd = open_h2();
    cl_send(fd, buf_view(&b));
    fx_until(fx_is_waiting);
    fx_release();
    http_stop(fx.server, 10000);
    static uint8_t payload[16384];
    bool said = false, answered = false;
    int type, flags;
    uint32_t id;
    size_t n;
    while ((type = next_frame(fd, &flags, &id, payload, &n)) >= 0) {
        said |= type == GOAWAY;
        answered |= type == DATA && id == 1 && flags & ES;
    }
    assert_true(said && answered);
    cl_close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(from_the_pool, setup, teardown),
        cmocka_unit_test_setup_teardown(from_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(events, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
