/* base/clock.h - wall and monotonic time in milliseconds. Decisions never ask the clock: they are handed `now`. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

typedef int64_t wall_ms; /* milliseconds since 1970-01-01T00:00:00Z */
typedef int64_t mono_ms; /* milliseconds of CLOCK_MONOTONIC */

#define SECONDS(n)   ((int64_t)(n) * 1000)
#define MINUTES(n)   ((int64_t)(n) * 60000)
#define HOURS(n)     ((int64_t)(n) * 3600000)
#define DAYS(n)      ((int64_t)(n) * 86400000)
#define WALL_NEVER   INT64_MAX
#define CLOCK_TEXT   32 /* bytes that any of the formats below needs */

/* The two clocks of the host. Any thread. */
wall_ms clock_wall(void);
mono_ms clock_mono(void);

/* "2026-11-24T21:02:32.123Z" (RFC 3339, UTC). Returns `out`, which holds CLOCK_TEXT bytes;
 * "never" for WALL_NEVER and all else that has no four-digit year. Pure. */
char *clock_rfc3339(wall_ms when, char out[CLOCK_TEXT]);

/* "Tue, 24 Nov 2026 21:02:32 +0000" (RFC 5322 section 3.3, UTC). Otherwise as above. */
char *clock_rfc5322(wall_ms when, char out[CLOCK_TEXT]);

#endif
