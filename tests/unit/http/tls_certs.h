/* Certificates and keys for tests, made once with the openssl command, P-256, valid until 2126. Their CAs have no keys any more.
 *
 *   ca        "ccmon test CA"                other      another CA
 *   server    of ca, localhost, 127.0.0.1    stranger   of other, localhost, 127.0.0.1
 *   wrongname of ca, example.test            client     of ca, subject "no SAN", no other name
 *   named     of ca, dev@example.test, dev-1 intruder   of other, dev-1
 */
#pragma once
#include "base/str.h"

static const struct str ca_cert UNUSED =
    S("-----BEGIN CERTIFICATE-----\n"
      "MIIBlzCCAT2gAwIBAgIUFnAU1Cb/7A8xdRlOwEd2NtA1/bgwCgYIKoZIzj0EAwIw\n"
      "GDEWMBQGA1UEAwwNY2Ntb24gdGVzdCBDQTAgFw0yNjExMjQxMzA1NTNaGA8yMTI2\n"
      "MTAzMTEzMDU1M1owGDEWMBQGA1UEAwwNY2Ntb24gdGVzdCBDQTBZMBMGByqGSM49\n"
      "AgEGCCqGSM49AwEHA0IABBU35+eDDAbm4isrvFVSLbLWRnUNQLZ6xAVh7Yhct7s4\n"
      "DGAVe20kAj1jDpkdHPknUCk5JRQVqn/GsjSNMOaY9MujYzBhMB0GA1UdDgQWBBRQ\n"
      "sVpSkBtApWELAG0FhZqq2O0f5zAfBgNVHSMEGDAWgBRQsVpSkBtApWELAG0FhZqq\n"
      "2O0f5zAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwICBDAKBggqhkjOPQQD\n"
      "AgNIADBFAiEAgriJHsbnBk1VLs0VRbT3sin1ZX/0P2Bd4eGDVjKqNnYCIGwPSnf7\n"
      "8/OfqETjmn6Mh4qLj0yJJeXLd6KRQx1UOF/V\n"
      "-----END CERTIFICATE-----\n");
static const struct str other_cert UNUSED =
    S("-----BEGIN CERTIFICATE-----\n"
      "MIIBkDCCATegAwIBAgIUG5Y9Fj3JmDUdlYLVT0SVt4IC+XEwCgYIKoZIzj0EAwIw\n"
      "FTETMBEGA1UEAwwKYW5vdGhlciBDQTAgFw0yNjExMjQxMzA1NTNaGA8yMTI2MTAz\n"
      "MTEzMDU1M1owFTETMBEGA1UEAwwKYW5vdGhlciBDQTBZMBMGByqGSM49AgEGCCqG\n"
      "SM49AwEHA0IABGuPiBOF9xv7IXskxJft+FWcyjis6goS0UYin/ESAglxkrxWO0Ev\n"
      "RxUks9YZ2eDLUquualbM/a5a9Zs2Q1d2aHGjYzBhMB0GA1UdDgQWBBRLc4TZ6Hvs\n"
      "a1895N5buLxxjk6ErTAfBgNVHSMEGDAWgBRLc4TZ6Hvsa1895N5buLxxjk6ErTAP\n"
      "BgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwICBDAKBggqhkjOPQQDAgNHADBE\n"
      "AiAJb/HzGBzYzFveQD+jb/3Nk/V2XsCE/7LDHrtjCmkmCAIgO4bPmu7WfIofR4Bl\n"
      "e1JL5qUyibPW2Xg0AaXukQSCD+A=\n"
      "-----END CERTIFICATE-----\n");
static const struct str server_cert UNUSED =
    S("-----BEGIN CERTIFICATE-----\n"
      "MIIBvDCCAWKgAwIBAgIUQpIRjF1g9vdXfIfks1H0ig68owEwCgYIKoZIzj0EAwIw\n"
      "GDEWMBQGA1UEAwwNY2Ntb24gdGVzdCBDQTAgFw0yNjExMjQxMzA1NTNaGA8yMTI2\n"
      "MTAzMTEzMDU1M1owDjEMMAoGA1UEAwwDb25lMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
      "AQcDQgAEq6NS3opmoRx36VJnlmLr7sGRBsWNQF4TqjhnnhnkdRQmhYJuqjdOI0Ov\n"
      "ZqEWxk22fAArA/Ikyw4Y+rpVTE5Ad6OBkTCBjjAJBgNVHRMEAjAAMBMGA1UdJQQM\n"
      "MAoGCCsGAQUFBwMBMCwGA1UdEQQlMCOCCWxvY2FsaG9zdIcEfwAAAYcQAAAAAAAA\n"
      "AAAAAAAAAAAAATAdBgNVHQ4EFgQUtbeMiAdAkfscEHiYBXGCSL0C4dYwHwYDVR0j\n"
      "BBgwFoAUULFaUpAbQKVhCwBtBYWaqtjtH+cwCgYIKoZIzj0EAwIDSAAwRQIgI57y\n"
      "Cgn1vn5jo1+SSPAoe/BoTT1lPQR9YonIOOOlXn8CIQDOlR+UCb1dskdS700Zcc2z\n"
      "kl1naalYGSBNiqE6ue5oGA==\n"
      "-----END CERTIFICATE-----\n");
static const struct str server_key UNUSED =
    S("-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcIOTvZrk22U6Yfdf\n"
      "QEpLqVn0nHfzasSsK4l71EZvDCKhRANCAASro1LeimahHHfpUmeWYuvuwZEGxY1A\n"
      "XhOqOGeeGeR1FCaFgm6qN04jQ69moRbGTbZ8ACsD8iTLDhj6ulVMTkB3\n"
      "-----END PRIVATE KEY-----\n");
static const struct str stranger_cert UNUSED =
    S("-----BEGIN CERTIFICATE-----\n"
      "MIIBpTCCAUugAwIBAgIUeyoIfKvsxs77gYmEo11/9R2VFq0wCgYIKoZIzj0EAwIw\n"
      "FTETMBEGA1UEAwwKYW5vdGhlciBDQTAgFw0yNjExMjQxMzA1NTNaGA8yMTI2MTAz\n"
      "MTEzMDU1M1owDjEMMAoGA1UEAwwDb25lMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD\n"
      "QgAEm++TIcBqR5EX985ON7mSX1rEGuyOa+BqZ7pt8hQ2WCHIvC1koy+LITU0Nl1p\n"
      "4q1D3IxKqHHa/RnwGLps4EHYc6N+MHwwCQYDVR0TBAIwADATBgNVHSUEDDAKBggr\n"
      "BgEFBQcDATAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwHQYDVR0OBBYEFJif\n"
      "/dBb7OSHP2uDNxrMW5PltmPdMB8GA1UdIwQYMBaAFEtzhNnoe+xrXz3k3lu4vHGO\n"
      "ToStMAoGCCqGSM49BAMCA0gAMEUCIFtAyBcClnO5oVfFNpxa1fikM34QQjJTqdWS\n"
      "HOfBmeOOAiEAszUBzejrIzYB99c/cWiyddTyYrfh7q1v5FVudu/+ks4=\n"
      "-----END CERTIFICATE-----\n");
static const struct str stranger_key UNUSED =
    S("-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrlt+GpGb7OUaQLdX\n"
      "EoicrDwoJxz+cYGgMTG/McZIsWqhRANCAASb75MhwGpHkRf3zk43uZJfWsQa7I5r\n"
      "4Gpnum3yFDZYIci8LWSjL4shNTQ2XWnirUPcjEqocdr9GfAYumzgQdhz\n"
      "-----END PRIVATE KEY-----\n");
static const struct str wrongname_cert UNUSED =
    S("-----BEGIN CERTIFICATE-----\n"
      "MIIBpzCCAU2gAwIBAgIUQpIRjF1g9vdXfIfks1H0ig68owMwCgYIKoZIzj0EAwIw\n"
      "GDEWMBQGA1UEAwwNY2Ntb24gdGVzdCBDQTAgFw0yNjExMjQxMzA1NTNaGA8yMTI2\n"
      "MTAzMTEzMDU1M1owEDEOMAwGA1UEAwwFdGhyZWUwWTATBgcqhkjOPQIBBggqhkjO\n"
      "PQMBBwNCAARoFFsl/iyVsCZs1drAkMEH1ZKzI9GHgCNp38gdN0LnnYssBXZTtbvr\n"
      "M/rK6Z2vUVZXKrhSsqxHFl7PNwTq0CHVo3sweTAJBgNVHRMEAjAAMBMGA1UdJQQM\n"
      "MAoGCCsGAQUFBwMBMBcGA1UdEQQQMA6CDGV4YW1wbGUudGVzdDAdBgNVHQ4EFgQU\n"
      "ajKIsJP9EY+tcmPRB7JsgoHP/kowHwYDVR0jBBgwFoAUULFaUpAbQKVhCwBtBYWa\n"
      "qtjtH+cwCgYIKoZIzj0EAwIDSAAwRQIgfLDOaWnm0QNqLezJ9yTyby0G/dRHIGyM\n"
      "E3B5GqKiWTMCIQC3jlDQpqUKhuMuXRddwhCzmQ8dlwlEfd4P0gAV4klWzA==\n"
      "-----END CERTIFICATE-----\n");
static const struct str wrongname_key UNUSED =
    S("-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/U/RGbari3g6rFGL\n"
      "GLmC4QcCMluNZM4UVaA5eqfzpuOhRANCAARoFFsl/iyVsCZs1drAkMEH1ZKzI9GH\n"
      "gCNp38gdN0LnnYssBXZTtbvrM/rK6Z2vUVZXKrhSsqxHFl7PNwTq0CHV\n"
      "-----END PRIVATE KEY-----\n");
static const struct str client_cert UNUSED =
    S("-----BEGIN CERTIFICATE-----\n"
      "MIIBjjCCATWgAwIBAgIUQpIRjF1g9vdXfIfks1H0ig68owQwCgYIKoZIzj0EAwIw\n"
      "GDEWMBQGA1UEAwwNY2Ntb24gdGVzdCBDQTAgFw0yNjExMjQxMzA1NTNaGA8yMTI2\n"
      "MTAzMTEzMDU1M1owETEPMA0GA1UEAwwGbm8gU0FOMFkwEwYHKoZIzj0CAQYIKoZI\n"
      "zj0DAQcDQgAEqVlxUyiQtUGdhJ57jHGux3N/9UNjnJ5obruucZWVcLKzxHVkuxBA\n"
      "mkd7nadrEVsKWDwd8pF75hJM9rNCtI5+NqNiMGAwCQYDVR0TBAIwADATBgNVHSUE\n"
      "DDAKBggrBgEFBQcDAjAdBgNVHQ4EFgQUkdHhf1rJJGX75JBMyIrQySbrmtUwHwYD\n"
      "VR0jBBgwFoAUULFaUpAbQKVhCwBtBYWaqtjtH+cwCgYIKoZIzj0EAwIDRwAwRAIg\n"
      "bGtE4q77PC0xq2JTVbu4G9e5Y5JnhbVGuJY7wZSwNL4CIFFcwrlnLf0h0QMPq5UJ\n"
      "JiJjyhQR16wGw8BA7ZWy+pjq\n"
      "-----END CERTIFICATE-----\n");
static const struct str client_key UNUSED =
    S("-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUNIAGKFnfB+SXMPX\n"
      "Dsxy59WY2NwxAfexpVqmHU8UXwOhRANCAASpWXFTKJC1QZ2EnnuMca7Hc3/1Q2Oc\n"
      "nmhuu65xlZVwsrPEdWS7EECaR3udp2sRWwpYPB3ykXvmEkz2s0K0jn42\n"
      "-----END PRIVATE KEY-----\n");
static const struct str named_cert UNUSED =
    S("-----BEGIN CERTIFICATE-----\n"
      "MIIBrzCCAVagAwIBAgIUQpIRjF1g9vdXfIfks1H0ig68owUwCgYIKoZIzj0EAwIw\n"
      "GDEWMBQGA1UEAwwNY2Ntb24gdGVzdCBDQTAgFw0yNjExMjQxMzA1NTNaGA8yMTI2\n"
      "MTAzMTEzMDU1M1owDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
      "A0IABGJUN13Oiw1sDzlfuk6Nr4ms3YALmT18lVQ0ben+m6bSGoExJTabfuvn2tzO\n"
      "WbMdlhzrQswCApRPDLMzNHNg+j2jgYcwgYQwCQYDVR0TBAIwADATBgNVHSUEDDAK\n"
      "BggrBgEFBQcDAjAiBgNVHREEGzAZgRBkZXZAZXhhbXBsZS50ZXN0ggVkZXYtMTAd\n"
      "BgNVHQ4EFgQUPhAUKlwR4ADD7HZ56PoLUaCkQJMwHwYDVR0jBBgwFoAUULFaUpAb\n"
      "QKVhCwBtBYWaqtjtH+cwCgYIKoZIzj0EAwIDRwAwRAIgIbcJhQoBDfs13k3todPb\n"
      "GGDfJ5Xd+r0zWGbnM6c1YDcCIG+F0vEm9tCz4/Zq+jEg9/zY7RNRA0UWDJZhU+Z5\n"
      "OHQs\n"
      "-----END CERTIFICATE-----\n");
static const struct str named_key UNUSED =
    S("-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1fXWcPeKEPWWsphQ\n"
      "r8pvfWErqzqQilhnby49snUxRPqhRANCAARiVDddzosNbA85X7pOja+JrN2AC5k9\n"
      "fJVUNG3p/pum0hqBMSU2m37r59rczlmzHZYc60LMAgKUTwyzMzRzYPo9\n"
      "-----END PRIVATE KEY-----\n");
static const struct str intruder_cert UNUSED =
    S("-----BEGIN CERTIFICATE-----\n"
      "MIIBnzCCAUagAwIBAgIUeyoIfKvsxs77gYmEo11/9R2VFq4wCgYIKoZIzj0EAwIw\n"
      "FTETMBEGA1UEAwwKYW5vdGhlciBDQTAgFw0yNjExMjQxMzA1NTNaGA8yMTI2MTAz\n"
      "MTEzMDU1M1owEzERMA8GA1UEAwwIaW50cnVkZXIwWTATBgcqhkjOPQIBBggqhkjO\n"
      "PQMBBwNCAAR1T3JRwrkEjj69dkWkN7BlYw+Mb/12VDcxaZ0rEkc4a6Nds204bARO\n"
      "31U3rHpk1BAsZRQbX63ncA5V3EhXhX8qo3QwcjAJBgNVHRMEAjAAMBMGA1UdJQQM\n"
      "MAoGCCsGAQUFBwMCMBAGA1UdEQQJMAeCBWRldi0xMB0GA1UdDgQWBBQnOVqFC4P3\n"
      "/bMh0s+J7exdrqc5wDAfBgNVHSMEGDAWgBRLc4TZ6Hvsa1895N5buLxxjk6ErTAK\n"
      "BggqhkjOPQQDAgNHADBEAiAQQTfdg9nSfH75gl1Crga3Q5gXJI0VRm3bnAQipbMx\n"
      "vwIgZ9gweyBqrReeyQkXD1sW1MiQtTilMpS8Pkh+OnCEqqE=\n"
      "-----END CERTIFICATE-----\n");
static const struct str intruder_key UNUSED =
    S("-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUQQNrhNLXrzf6PXh\n"
      "GtrSPA3aPDIww+2bSHwTuBDk0hWhRANCAAR1T3JRwrkEjj69dkWkN7BlYw+Mb/12\n"
      "VDcxaZ0rEkc4a6Nds204bARO31U3rHpk1BAsZRQbX63ncA5V3EhXhX8q\n"
      "-----END PRIVATE KEY-----\n");
