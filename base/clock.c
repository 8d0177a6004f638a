/* base/clock.c - wall and monotonic time in milliseconds. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

/* Beyond the year 9999 neither format has a form; WALL_NEVER is there too. */
#define WALL_FORMAT_MAX INT64_C(253402300799999)
#define WALL_FORMAT_MIN INT64_C(-62167219200000)

/* Room for the formats with whatever seven ints hold: the compiler cannot see that the fields are small. */
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

/* What both formats print. */
struct civil {
	int year, month, day, week_day; /* 1970, 1..12, 1..31, 0 is Sunday */
	int hour, minute, second, ms;
};

/* Date from days since 1970-01-01, in the proleptic Gregorian calendar. Counted here and not by gmtime_r, which takes the
 * lock of the time zone data each time. The year is taken to begin in March, so that the leap day is its last. */
static void date_of(int64_t days, struct civil *out)
{
	int64_t z = days + 719468; /* days since 0000-03-01 */
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;

	out->day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
	out->month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
	out->year = (int)(year_of_era + era * 400 + (out->month <= 2));
	out->week_day = (int)(((days + 4) % 7 + 7) % 7);
}

/* False: no four-digit year. */
static bool split(wall_ms when, struct civil *out)
{
	int64_t days;
	int ms;

	if (when < WALL_FORMAT_MIN || when > WALL_FORMAT_MAX)
		return false;
	days = (when - (when < 0 ? DAYS(1) - 1 : 0)) / DAYS(1);
	date_of(days, out);
	ms = (int)(when - DAYS(days));
	out->hour = ms / 3600000;
	out->minute = ms / 60000 % 60;
	out->second = ms / 1000 % 60;
	out->ms = ms % 1000;
	return true;
}

char *clock_rfc3339(wall_ms when, char out[CLOCK_TEXT])
{
	char text[ANY_INTS];
	struct civil at;

	if (!split(when, &at))
		return memcpy(out, "never", 6);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", at.year, at.month, at.day, at.hour, at.minute,
	    at.second, at.ms);
	return memcpy(out, text, CLOCK_TEXT);
}

char *clock_rfc5322(wall_ms when, char out[CLOCK_TEXT])
{
	char text[ANY_INTS];
	struct civil at;

	if (!split(when, &at))
		return memcpy(out, "never", 6);
	/* Names come from our tables, not from strftime: the locale must not matter. */
	snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d +0000", week_days[at.week_day], at.day,
	    months[at.month - 1], at.year, at.hour, at.minute, at.second);
	return memcpy(out, text, CLOCK_TEXT);
}
