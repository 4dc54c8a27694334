/* Log: one line per event, "subject: fact -> decision". Programs log at their boundary; libraries
 * return codes and use debug at most. Control characters in arguments are escaped, so a file name
 * cannot forge a line. Lines go to stderr, or to the file set by vs_log_to_fd().
 *
 * Threads: any. A line is written with one write(2); programs ignore SIGPIPE, so that a log that
 * nobody reads is lost and not the program. */
#ifndef VS_COMMON_LOG_H
#define VS_COMMON_LOG_H

enum vs_log_level { VS_LOG_ERROR, VS_LOG_WARN, VS_LOG_INFO, VS_LOG_DEBUG };

void vs_log_set_level(enum vs_log_level level); /* default VS_LOG_INFO */
void vs_log_to_fd(int fd);                      /* borrowed; default 2 */

void vs_log(enum vs_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define vs_error(...) vs_log(VS_LOG_ERROR, __VA_ARGS__)
#define vs_warn(...)  vs_log(VS_LOG_WARN, __VA_ARGS__)
#define vs_info(...)  vs_log(VS_LOG_INFO, __VA_ARGS__)
#define vs_debug(...) vs_log(VS_LOG_DEBUG, __VA_ARGS__)

#endif
