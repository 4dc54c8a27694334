/* What an HTTP server says of itself. */
#include "common/http_server.h"
#include "common/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_figure_is_a_family_with_its_type(void **state)
{
    struct http_server_config config = { .listen = "127.0.0.1:0" };
    struct vs_buf buf = { 0 };
    struct vs_metrics_text t = { .buf = &buf };
    struct http_server *http;
    char why[HTTP_WHY_BYTES];

    (void)state;
    assert_int_equal(http_server_start(&http, &config, why), 0);
    http_server_metrics(http, &t);
    http_server_stop(http, 0);
    assert_int_equal(t.err, 0);
    assert_int_equal(vs_buf_append(&buf, "", 1, SIZE_MAX), 0);
    assert_non_null(strstr((char *)buf.data, "# TYPE vstack_http_connections gauge\n"
                                             "vstack_http_connections 0\n"));
    assert_non_null(strstr((char *)buf.data, "# TYPE vstack_http_requests_total counter\n"
                                             "vstack_http_requests_total 0\n"));
    assert_non_null(strstr((char *)buf.data, "\nvstack_http_body_memory_refused_total 0\n"));
    vs_buf_close(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_figure_is_a_family_with_its_type) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
