/* tests/unit/relay/test_top.c - what top makes of the daemon's answers: rates, order, and lines that fit the screen. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "relay/relayq/text.h"
#include "relay/relayq/top_page.h"
#include "relay/relayq/top_rows.h"

#define NOW INT64_C(1795521600000) /* 2026-11-24T12:00:00Z */

#define TOTAL(accepted, delivered) \
	"{\"total\":true,\"waiting\":5,\"active\":1,\"deferred\":2,\"held\":0,\"blocked\":3,\"accepted\":" #accepted ",\"delivered\":" #delivered \
	",\"bounced\":0,\"connections\":4,\"complete\":true,\"used_bytes\":4096,\"quota_bytes\":8192,\"free_bytes\":1048576,\"dead\":1," \
	"\"version\":\"9\",\"started\":\"2026-11-24T10:00:00.000Z\",\"oldest\":\"2026-11-24T11:00:00.000Z\"}"

static void add(struct top_sample *sample, const char *verb, const char *format, ...) PRINTF_LIKE(3, 4);
static void add(struct top_sample *sample, const char *verb, const char *format, ...)
{
	char text[1024];
	json_t *row;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	row = json_loads(text, 0, NULL);
	if (!row)
		fail_msg("no JSON: %s", text);
	top_sample_add(sample, verb, row);
	json_decref(row);
}

static void destination(struct top_sample *sample, const char *name, unsigned waiting, unsigned delivered, unsigned bounced)
{
	add(sample, "stats", "{\"destination\":\"%s\",\"waiting\":%u,\"delivered\":%u,\"bounced\":%u}", name, waiting, delivered, bounced);
}

static double rate_of(const struct top_sample *sample, size_t i, const char *key)
{
	return json_real_value(json_object_get(json_array_get(sample->parts[TOP_DESTINATION], i), key));
}

static const char *name_of(const struct top_sample *sample, enum top_part part, size_t i, const char *key)
{
	const char *name = json_string_value(json_object_get(json_array_get(sample->parts[part], i), key));

	return name ? name : "(none)";
}

static void rates_are_differences_over_the_time_between(void **state)
{
	struct top_sample first = { .at = 1000 }, second = { .at = 3000 }, third = { .at = 5000 }, none = { .at = 0 };

	destination(&first, "busy", 0, 100, 10);
	destination(&first, "idle", 0, 7, 0);
	add(&first, "stats", "%s", TOTAL(1000, 107));
	top_sample_compare(&first, &none);
	assert_true(json_real_value(json_object_get(top_sample_total(&first), "delivered_rate")) == 0);
	assert_int_equal(top_page_rows(&first, TOP_DESTINATION), 0);

	destination(&second, "busy", 0, 150, 14);
	destination(&second, "idle", 0, 7, 0);
	destination(&second, "new", 0, 2, 0);
	add(&second, "stats", "%s", TOTAL(1005, 159));
	top_sample_compare(&second, &first);
	assert_int_equal(top_page_rows(&second, TOP_DESTINATION), 2);
	assert_string_equal(name_of(&second, TOP_DESTINATION, 0, "destination"), "busy");
	assert_true(rate_of(&second, 0, "delivered_rate") == 25 && rate_of(&second, 0, "bounced_rate") == 2);
	assert_true(rate_of(&second, 1, "delivered_rate") == 1);
	assert_true(json_real_value(json_object_get(top_sample_total(&second), "accepted_rate")) == 2.5);

	/* What was left out of one sample is known in the next; a counter that has gone back is no rate. */
	destination(&third, "busy", 0, 3, 0);
	destination(&third, "idle", 0, 9, 0);
	add(&third, "stats", "%s", TOTAL(1, 2));
	top_sample_compare(&third, &second);
	assert_int_equal(top_page_rows(&third, TOP_DESTINATION), 1);
	assert_string_equal(name_of(&third, TOP_DESTINATION, 0, "destination"), "idle");
	assert_true(rate_of(&third, 0, "delivered_rate") == 1);
	assert_true(json_real_value(json_object_get(top_sample_total(&third), "accepted_rate")) == 0);
	top_sample_fini(&first);
	top_sample_fini(&second);
	top_sample_fini(&third);
}

static void most_in_the_queue_and_lanes_in_trouble_come_first(void **state)
{
	struct top_sample sample = { .at = 2000 }, before = { .at = 1000 };

	add(&before, "stats", "%s", TOTAL(0, 0));
	destination(&sample, "fast", 0, 50, 0);
	destination(&sample, "few", 3, 0, 0);
	destination(&sample, "many", 300, 0, 0);
	destination(&sample, "slow", 0, 1, 0);
	add(&sample, "stats", "%s", TOTAL(0, 0));
	add(&sample, "top", "{\"part\":\"lane\",\"source\":\"a\",\"destination\":\"x\",\"state\":\"open\",\"tried\":900}");
	add(&sample, "top", "{\"part\":\"lane\",\"source\":\"b\",\"destination\":\"x\",\"state\":\"closed\",\"tried\":2}");
	add(&sample, "top", "{\"part\":\"lane\",\"source\":\"c\",\"destination\":\"x\",\"state\":\"slow\",\"tried\":7}");
	add(&sample, "top", "{\"part\":\"nonsense\"}");
	top_sample_compare(&sample, &before);
	assert_string_equal(name_of(&sample, TOP_DESTINATION, 0, "destination"), "many");
	assert_string_equal(name_of(&sample, TOP_DESTINATION, 1, "destination"), "few");
	assert_string_equal(name_of(&sample, TOP_DESTINATION, 2, "destination"), "fast");
	assert_string_equal(name_of(&sample, TOP_DESTINATION, 3, "destination"), "slow");
	assert_string_equal(name_of(&sample, TOP_LANE, 0, "source"), "c");
	assert_string_equal(name_of(&sample, TOP_LANE, 1, "source"), "b");
	assert_string_equal(name_of(&sample, TOP_LANE, 2, "source"), "a");
	top_sample_fini(&sample);
	top_sample_fini(&before);
}

static void rates_are_short(void **state)
{
	static const struct {
		double rate;
		const char *want;
	} rows[] = { { 0, "0" }, { 0.04, "0.1" }, { 1, "1.0" }, { 12.34, "12.3" }, { 99.9, "99.9" }, { 99.96, "100" }, { 12345.6, "12,346" } };
	char out[TOP_RATE];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(top_rows_rate(rows[i].rate, out), rows[i].want);
}

/* Something of each part, and 40 destinations. */
static struct top_sample full_sample(void)
{
	struct top_sample sample = { .at = 2000 }, before = { .at = 1000 };

	for (unsigned i = 0; i < 40; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "destination-with-a-long-name-%02u.example", i);
		destination(&sample, name, 1000 - i, 5, 0);
	}
	for (unsigned i = 0; i < 8; i++) {
		add(&sample, "source", "{\"source\":\"s%u\",\"state\":\"active\",\"hour\":{\"delivered\":12345},\"listed\":[],\"shut\":[1,2]}", i);
		add(&sample, "top", "{\"part\":\"lane\",\"source\":\"s%u\",\"destination\":\"josé.例え\",\"state\":\"closed\","
		    "\"until\":\"2026-11-24T12:05:00.000Z\",\"why\":\"it answers other sources and not this one, for a long time already\"}", i);
		add(&sample, "top", "{\"part\":\"tenant\",\"tenant\":\"t%u\",\"state\":\"active\",\"waiting\":3,\"quota_hour\":10,\"quota_hour_used\":4,"
		    "\"quota_day\":100,\"quota_day_used\":60}", i);
	}
	add(&sample, "alerts", "{\"kind\":\"block\",\"object\":\"a to gmail\",\"text\":\"refused\\u001b[31m\",\"since\":\"2026-11-24T11:59:00.000Z\"}");
	add(&sample, "top", "{\"part\":\"late\",\"destination\":\"yahoo\",\"waiting\":9000,\"daily\":50,\"gone_at\":\"2026-11-26T12:00:00.000Z\"}");
	add(&sample, "hosts", "{\"address\":\"192.0.2.9:25\",\"name\":\"mx.example\",\"since\":\"2026-11-24T11:59:00.000Z\",\"failures\":3,"
	    "\"until\":\"2026-11-24T12:05:00.000Z\",\"why\":\"connection refused\"}");
	add(&sample, "stats", "%s", TOTAL(9, 9));
	top_sample_compare(&sample, &before);
	top_sample_fini(&before);
	return sample;
}

static bool has_line(const struct top_line *lines, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strstr(lines[i].text, text))
			return true;
	return false;
}

static void every_line_fits_a_screen_of_any_size(void **state)
{
	struct top_sample sample = full_sample();

	for (size_t width = 1; width < 200; width += width < 90 ? 1 : 23)
		for (size_t height = 1; height < 120; height += height < 40 ? 1 : 17)
			for (enum top_part only = TOP_TOTAL; only < TOP_PARTS; only++) {
				struct top_view view = { .width = width, .height = height, .only = only, .now = NOW, .host = "relay.example", .hint = "q quits" };
				struct top_line *lines;
				size_t count = top_page(&sample, &view, &lines);

				if (height > 2 && (count != height || strncmp(lines[count - 1].text, "q quits", width < 7 ? width : 7) != 0))
					fail_msg("%zux%zu: the last line is \"%s\"", width, height, lines[count - 1].text);
				if (count > height)
					fail_msg("%zu lines for a height of %zu", count, height);
				for (size_t i = 0; i < count; i++)
					if (text_width(lines[i].text) > width || strpbrk(lines[i].text, "\n\033"))
						fail_msg("%zux%zu: \"%s\"", width, height, lines[i].text);
				top_page_free(lines, count);
			}
	top_sample_fini(&sample);
}

static void no_part_starves_on_an_ordinary_screen(void **state)
{
	static const char *const WANTED[] = { "on relay.example  up 2h", "5 waiting, 1 active, 2 deferred, 0 held, 3 blocked; the oldest 60m",
		"4.0K of 8.0K used", "ALERT", "a to gmail", "LATE FOR", "yahoo", "192.0.2.9:25", "DESTINATION", "destination-", "SOURCE", "LANE FROM", "TENANT",
		"60%/d", "more)" };
	struct top_sample sample = full_sample();
	struct top_view view = { .width = 80, .height = 30, .now = NOW, .host = "relay.example" };
	struct top_line *lines;
	size_t count = top_page(&sample, &view, &lines);

	for (size_t i = 0; i < ARRAY_LEN(WANTED); i++)
		if (!has_line(lines, count, WANTED[i]))
			fail_msg("\"%s\" is missing", WANTED[i]);
	assert_int_equal(count, 30);
	top_page_free(lines, count);
	top_sample_fini(&sample);
}

static void one_part_alone_is_gone_through(void **state)
{
	struct top_sample sample = full_sample();
	struct top_view view = { .width = 100, .height = 16, .only = TOP_DESTINATION, .now = NOW, .host = "relay.example" };
	bool seen[40] = { false };

	for (view.offset = 0; view.offset < 40; view.offset++) {
		struct top_line *lines;
		size_t count = top_page(&sample, &view, &lines);

		assert_false(has_line(lines, count, "SOURCE"));
		for (unsigned i = 0; i < 40; i++) {
			char name[64];

			(void)snprintf(name, sizeof(name), "name-%02u.example", i);
			seen[i] = seen[i] || has_line(lines, count, name);
		}
		top_page_free(lines, count);
	}
	for (unsigned i = 0; i < 40; i++)
		assert_true(seen[i]);
	top_sample_fini(&sample);
}

static void without_figures_the_reason_is_told(void **state)
{
	struct top_sample sample = { .at = 0 };
	struct top_view view = { .width = 80, .height = 24, .now = NOW, .host = "relay.example", .trouble = "the daemon cannot be reached" };
	struct top_line *lines;
	size_t count = top_page(&sample, &view, &lines);

	assert_int_equal(count, 2);
	assert_string_equal(lines[1].text, "the daemon cannot be reached");
	assert_int_equal(lines[1].style, TOP_ALARM);
	top_page_free(lines, count);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_differences_over_the_time_between),
		cmocka_unit_test(most_in_the_queue_and_lanes_in_trouble_come_first),
		cmocka_unit_test(rates_are_short),
		cmocka_unit_test(every_line_fits_a_screen_of_any_size),
		cmocka_unit_test(no_part_starves_on_an_ordinary_screen),
		cmocka_unit_test(one_part_alone_is_gone_through),
		cmocka_unit_test(without_figures_the_reason_is_told),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
