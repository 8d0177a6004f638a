/* base/clock.c - wall and monotonic time in milliseconds. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

/* Beyond the year 9999 neither format has a form; WALL_NEVER is there too. */
#define WALL_FORMAT_MAX INT64_C(253402300799999)
#define WALL_FORMAT_MIN INT64_C(-62167219200000)

/* Room for the formats with whatever six ints hold: the compiler cannot see that the fields of a struct tm are small. */
#define ANY_INTS 96

static const char week_days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static int64_t read_ms(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

wall_ms clock_wall(void)
{
	return read_ms(CLOCK_REALTIME);
}

mono_ms clock_mono(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

/* Calendar fields in UTC and the milliseconds of the second. False: no four-digit year. */
static bool split(wall_ms when, struct tm *tm, int *ms_out)
{
	time_t seconds;

	if (when < WALL_FORMAT_MIN || when > WALL_FORMAT_MAX)
		return false;
	*ms_out = (int)(((when % 1000) + 1000) % 1000);
	seconds = (time_t)((when - *ms_out) / 1000);
	must(gmtime_r(&seconds, tm) != NULL);
	return true;
}

char *clock_rfc3339(wall_ms when, char out[CLOCK_TEXT])
{
	char text[ANY_INTS];
	struct tm tm;
	int ms;

	if (!split(when, &tm, &ms))
		return memcpy(out, "never", 6);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, ms);
	return memcpy(out, text, CLOCK_TEXT);
}

char *clock_rfc5322(wall_ms when, char out[CLOCK_TEXT])
{
	char text[ANY_INTS];
	struct tm tm;
	int ms;

	if (!split(when, &tm, &ms))
		return memcpy(out, "never", 6);
	/* Names come from our tables, not from strftime: the locale must not matter. */
	snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d +0000", week_days[tm.tm_wday], tm.tm_mday,
	    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return memcpy(out, text, CLOCK_TEXT);
}
