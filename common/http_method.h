/* The methods of HTTP that we speak, as bits: a server's route takes a set of them. Pure. */
#ifndef VS_COMMON_HTTP_METHOD_H
#define VS_COMMON_HTTP_METHOD_H

enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_PUT = 4,
    HTTP_DELETE = 8,
    HTTP_POST = 16,
};

#endif
