/* tests/unit/base/test_log.c - log lines in both forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"

static char dir[] = "/tmp/test_log.XXXXXX";
static char events_dir[64], stderr_path[64];

/* Standard error goes to a file while a test runs. */
static int real_stderr;

static int make_dir(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(events_dir, sizeof(events_dir), "%s/events", dir);
	snprintf(stderr_path, sizeof(stderr_path), "%s/stderr", dir);
	return 0;
}

static void events_path(char path[128])
{
	char now[CLOCK_TEXT];

	clock_rfc3339(clock_wall(), now);
	snprintf(path, 128, "%s/%.10s.jsonl", events_dir, now);
}

static int remove_dir(void **state)
{
	char path[128];

	events_path(path);
	unlink(path);
	unlink(stderr_path);
	rmdir(events_dir);
	return rmdir(dir);
}

static int catch_stderr(void **state)
{
	int fd = open(stderr_path, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	struct err_detail why;

	real_stderr = dup(STDERR_FILENO);
	if (fd < 0 || real_stderr < 0 || dup2(fd, STDERR_FILENO) < 0)
		return -1;
	close(fd);
	log_set_level(LOG_INFO);
	return log_open_events(events_dir, 7, 1000000, &why) == OK ? 0 : -1;
}

static int release_stderr(void **state)
{
	char path[128];

	log_close_events();
	events_path(path);
	unlink(path);
	if (dup2(real_stderr, STDERR_FILENO) < 0)
		return -1;
	return close(real_stderr);
}

/* The content of a file, as a text on a buffer that the next call reuses. */
static const char *content(const char *path)
{
	static char text[64 * 1024];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return "";
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static const char *errors(void)
{
	return content(stderr_path);
}

/* The event log's only line, parsed strictly; the caller releases it. */
static json_t *event(void)
{
	char path[128];
	json_error_t error;
	json_t *json;

	events_path(path);
	json = json_loads(content(path), JSON_REJECT_DUPLICATES, &error);
	if (json == NULL)
		fail_msg("%s in %s", error.text, content(path));
	return json;
}

static void values_are_quoted_and_escaped_as_needed(void **state)
{
	static const struct {
		const char *value, *text, *json;
	} rows[] = {
		{ "plain", "plain", "plain" },
		{ "", "\"\"", "" },
		{ "two words", "\"two words\"", "two words" },
		{ "a=b", "\"a=b\"", "a=b" },
		{ "say \"hi\"", "\"say \\\"hi\\\"\"", "say \"hi\"" },
		{ "back\\slash", "\"back\\\\slash\"", "back\\slash" },
		{ "line\r\nend", "\"line\\x0d\\x0aend\"", "line\r\nend" },
		{ "del\x7f", "\"del\\x7f\"", "del\x7f" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xf0\x9f\x93\xa7", "\xf0\x9f\x93\xa7", "\xf0\x9f\x93\xa7" },
		{ "c1\xc2\x9b", "\"c1\\xc2\\x9b\"", "c1\xc2\x9b" },
		{ "lone\xff", "\"lone\\xff\"", "lone\xef\xbf\xbd" },
		{ "cut\xe2\x82", "\"cut\\xe2\\x82\"", "cut\xef\xbf\xbd\xef\xbf\xbd" },
		{ "overlong\xc0\xaf", "\"overlong\\xc0\\xaf\"", "overlong\xef\xbf\xbd\xef\xbf\xbd" },
		{ "surrogate\xed\xa0\x80", "\"surrogate\\xed\\xa0\\x80\"", "surrogate\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "<a@b.example>", "<a@b.example>", "<a@b.example>" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char want[128];
		struct log_line line;
		json_t *json;

		assert_int_equal(catch_stderr(state), 0);
		log_begin(&line, LOG_INFO, "tested");
		log_str(&line, "key", rows[i].value);
		log_end(&line);
		snprintf(want, sizeof(want), "tested key=%s\n", rows[i].text);
		assert_string_equal(errors(), want);
		json = event();
		assert_string_equal(json_string_value(json_object_get(json, "key")), rows[i].json);
		json_decref(json);
		assert_int_equal(release_stderr(state), 0);
	}
}

static void fields_keep_their_order_and_kind(void **state)
{
	struct log_line line;
	json_t *json;

	log_begin(&line, LOG_WARN, "deferred");
	log_str(&line, "id", "A1");
	log_str(&line, "absent", NULL);
	log_num(&line, "size", INT64_MIN);
	log_fmt(&line, "delays", "%d/%d", 1, 2);
	log_end(&line);
	assert_string_equal(errors(), "deferred id=A1 size=-9223372036854775808 delays=1/2 level=warn\n");
	json = event();
	assert_string_equal(json_string_value(json_object_get(json, "event")), "deferred");
	assert_string_equal(json_string_value(json_object_get(json, "level")), "warn");
	assert_int_equal(strlen(json_string_value(json_object_get(json, "time"))), 24);
	assert_true(json_integer_value(json_object_get(json, "size")) == INT64_MIN);
	assert_int_equal(json_object_size(json), 6);
	json_decref(json);
}

static void the_level_quiets_standard_error_but_not_the_event_log(void **state)
{
	json_t *json;

	log_set_level(LOG_ERROR);
	log_text(LOG_DEBUG, "step", "%s", "not even there");
	log_text(LOG_WARN, "noted", "%s", "only there");
	assert_string_equal(errors(), "");
	json = event();
	assert_string_equal(json_string_value(json_object_get(json, "text")), "only there");
	json_decref(json);
	log_set_level(LOG_DEBUG);
	log_text(LOG_DEBUG, "step", "%d", 7);
	assert_string_equal(errors(), "step text=7\n");
}

static void level_names_are_known(void **state)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	enum log_level level;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_true(log_level_parse(names[i], &level));
		assert_int_equal(level, i);
	}
	assert_false(log_level_parse("INFO", &level));
	assert_false(log_level_parse("", &level));
}

/* `pad` times "x", `unit` repeated until it is longer than any line, then a short field behind. */
static void write_too_much(size_t pad, const char *unit)
{
	char value[3 * LOG_LINE_MAX];
	struct log_line line;
	size_t len = pad;

	memset(value, 'x', pad);
	for (; len + strlen(unit) < sizeof(value); len += strlen(unit))
		memcpy(value + len, unit, strlen(unit));
	value[len] = '\0';
	log_begin(&line, LOG_ERROR, "tested");
	log_str(&line, "long", value);
	log_num(&line, "after", 12345);
	log_end(&line);
}

static void check_cut(void **state, size_t pad, const char *unit)
{
	const char *text, *cut, *value;
	json_t *json;

	assert_int_equal(catch_stderr(state), 0);
	write_too_much(pad, unit);
	text = errors();
	assert_true(strlen(text) <= LOG_LINE_MAX && strlen(text) > LOG_LINE_MAX / 2);
	assert_non_null(strstr(text, " after=12345 level=error\n"));
	cut = strstr(text, "...");
	assert_non_null(cut);
	/* No escape is cut in two. */
	if (unit[0] == '\x01' && cut[-1] != 'x' && cut[-1] != 'a')
		assert_memory_equal(cut - 4, "\\x01", 4);
	json = event();
	value = json_string_value(json_object_get(json, "long"));
	assert_string_equal(value + strlen(value) - 3, "...");
	assert_int_equal(json_integer_value(json_object_get(json, "after")), 12345);
	json_decref(json);
	assert_int_equal(release_stderr(state), 0);
}

static void a_long_value_is_cut_between_characters_and_leaves_room_for_the_next(void **state)
{
	static const char *const units[] = { "x", "y z", "\x01", "\xff", "\"", "\xe2\x82\xac", "\x01" "a", "\xe2\x82\xac" "a" };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		for (size_t pad = 0; pad < 8; pad++)
			check_cut(state, pad, units[i]);
}

/* Replies of remote servers end up here: whatever bytes they send, the line stays a line. */
static void any_bytes_at_all_give_valid_json_and_a_single_line(void **state)
{
	struct rand r;

	rand_seed(&r, 1);
	log_set_level(LOG_INFO);
	for (int turn = 0; turn < 20000; turn++) {
		unsigned char value[300];
		size_t len = rand_below(&r, sizeof(value));
		struct log_line line;
		json_error_t error;
		json_t *json;

		/* Mostly bytes that begin or continue characters, so that near misses are common. */
		for (size_t i = 0; i < len; i++)
			value[i] = (unsigned char)(rand_below(&r, 4) > 0 ? 0x80 + rand_below(&r, 128) : 1 + rand_below(&r, 255));
		value[len] = '\0';
		log_begin(&line, LOG_INFO, "tested");
		log_str(&line, "key", (const char *)value);
		for (size_t i = 0; i < line.text_len; i++)
			if ((unsigned char)line.text[i] < 0x20 || line.text[i] == 0x7f)
				fail_msg("turn %d: control character in the text", turn);
		line.json[line.json_len] = '}';
		json = json_loadb(line.json, line.json_len + 1, 0, &error);
		if (json == NULL)
			fail_msg("turn %d: %s", turn, error.text);
		json_decref(json);
	}
}

static void more_fields_than_fit_leave_a_valid_line(void **state)
{
	static char keys[1000][16];
	struct log_line line;
	const char *text;
	json_t *json;

	log_begin(&line, LOG_ERROR, "tested");
	for (int i = 0; i < 1000; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
		log_num(&line, keys[i], 1000000 + i);
		keys[i][0] = 's';
		log_str(&line, keys[i], "0123456789");
	}
	log_end(&line);
	text = errors();
	assert_true(strlen(text) <= LOG_LINE_MAX && strlen(text) > LOG_LINE_MAX - 64);
	assert_string_equal(text + strlen(text) - 13, " level=error\n");
	json = event();
	assert_true(json_object_size(json) > 100);
	json_decref(json);
}

static void an_event_log_that_cannot_be_opened_is_an_error(void **state)
{
	struct err_detail why;
	char path[128];

	/* A directory in the file's place: nobody can write to it, not even root. */
	log_close_events();
	events_path(path);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(log_open_events(events_dir, 7, 1000, &why), ERR_IO);
	assert_non_null(strstr(why.text, path));
	assert_int_equal(rmdir(path), 0);
	log_text(LOG_INFO, "goes-on", "%d", 1);
	assert_string_equal(errors(), "goes-on text=1\n");
}

static void a_failing_event_log_is_told_once_and_stops_nobody(void **state)
{
	struct rlimit saved, small;
	char path[128];

	/* The event log is longer than files may get, standard error is not. */
	signal(SIGXFSZ, SIG_IGN);
	events_path(path);
	assert_int_equal(truncate(path, 20000), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
	small = saved;
	small.rlim_cur = 10000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	log_text(LOG_INFO, "fact", "%d", 1);
	log_text(LOG_INFO, "fact", "%d", 2);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
	log_text(LOG_INFO, "fact", "%d", 3);
	assert_int_equal(strncmp(errors(), "fact text=1\nevent-log-failed text=\"write ", 41), 0);
	assert_non_null(strstr(errors(), "\" level=error\nfact text=2\nfact text=3\n"));
}

#define WRITERS 4
#define LINES   100

static void *write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++) {
		struct log_line line;

		log_begin(&line, LOG_INFO, "tested");
		log_str(&line, "who", arg);
		log_num(&line, "n", i);
		log_end(&line);
	}
	return NULL;
}

static void lines_of_many_threads_stay_whole(void **state)
{
	static char names[WRITERS][2] = { "a", "b", "c", "d" };
	pthread_t threads[WRITERS];
	char path[128], *save = NULL;
	char *text;
	int count = 0;

	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	events_path(path);
	text = xstrdup(content(path));
	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		json_t *json = json_loads(line, 0, NULL);

		assert_non_null(json);
		json_decref(json);
		count++;
	}
	free(text);
	assert_int_equal(count, WRITERS * LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_quoted_and_escaped_as_needed),
		cmocka_unit_test_setup_teardown(fields_keep_their_order_and_kind, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(the_level_quiets_standard_error_but_not_the_event_log, catch_stderr,
		    release_stderr),
		cmocka_unit_test(level_names_are_known),
		cmocka_unit_test(a_long_value_is_cut_between_characters_and_leaves_room_for_the_next),
		cmocka_unit_test_setup_teardown(any_bytes_at_all_give_valid_json_and_a_single_line, catch_stderr,
		    release_stderr),
		cmocka_unit_test_setup_teardown(more_fields_than_fit_leave_a_valid_line, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(an_event_log_that_cannot_be_opened_is_an_error, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(a_failing_event_log_is_told_once_and_stops_nobody, catch_stderr,
		    release_stderr),
		cmocka_unit_test_setup_teardown(lines_of_many_threads_stay_whole, catch_stderr, release_stderr),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
