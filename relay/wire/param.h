/* relay/wire/param.h - values of MAIL and RCPT parameters: DSN (RFC 3461), FUTURERELEASE (RFC 4865), MT-PRIORITY (RFC 6710). Pure.
 *
 * Each reads a whole value of `len` bytes; false: not of that form, and the output is as it was. */
#ifndef WIRE_PARAM_H
#define WIRE_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

#define ENVID_MAX 100 /* RFC 3461 section 4.4 */
#define ORCPT_MAX 500 /* RFC 3461 section 4.2 */

enum mail_ret { RET_UNSET, RET_FULL, RET_HDRS };

/* Who wants to be told what; bits, as queue/queue.h stores them. */
enum param_notify { TELL_NEVER = 1 << 0, TELL_SUCCESS = 1 << 1, TELL_FAILURE = 1 << 2, TELL_DELAY = 1 << 3 };

/* NOTIFY=: NEVER alone, or some of SUCCESS, FAILURE, DELAY. */
bool param_notify(const char *text, size_t len, uint8_t *out);

/* RET=: FULL or HDRS. */
bool param_ret(const char *text, size_t len, enum mail_ret *out);

/* ENVID=: xtext, kept as it is. */
bool param_envid(const char *text, size_t len, char out[ENVID_MAX + 1]);

/* ORCPT=: "type;xtext", kept as it is; unitext for type utf-8 (RFC 6533 section 3). */
bool param_orcpt(const char *text, size_t len, char out[ORCPT_MAX + 1]);

/* The same value of type utf-8 in ASCII alone. False: it would be too long, or is of another type. */
bool param_orcpt_ascii(const char *orcpt, char out[ORCPT_MAX + 1]);

/* HOLDFOR=: seconds, 1..999999999. HOLDUNTIL=: a date-time of RFC 3339. */
bool param_hold_for(const char *text, size_t len, uint32_t *out);
bool param_hold_until(const char *text, size_t len, wall_ms *out);

/* MT-PRIORITY=: -9..9, one digit, no plus sign (RFC 6710). */
bool param_priority(const char *text, size_t len, int8_t *out);

#endif
