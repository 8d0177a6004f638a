/* tests/unit/relay/test_ops_settings.c - relayq with a broken configuration, and its password hashes. */
#include <crypt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/net/credential.h"
#include "relay/relayq/hash.h"
#include "relay/relayq/settings.h"

#define GOOD "hostname: relay.example\nuser: root\nlisten: [{at: \"127.0.0.1:2525\"}]\n"
#define PATHS "control: /run/x/control\nstate: /var/x\n"

static void a_broken_file_still_names_socket_and_state(void **state)
{
	static const struct {
		const char *label, *text;
		bool loads;
		const char *told; /* "": nothing */
	} rows[] = {
		{ "good", GOOD PATHS, true, "" },
		{ "unknown key", GOOD PATHS "frob: 1\n", true, "going on with its control and state alone" },
		{ "not even YAML", PATHS "x: [\n", true, "going on with its control and state alone" },
		{ "names neither", GOOD "frob: 1\n", false, "1 error" },
		{ "in flow style", "{control: /run/x/control, frob: 1}\n", false, "error" },
		{ "bad value", "control: [\n", false, "error" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char path[] = "/tmp/test-settings-XXXXXX", *told = NULL;
		int fd = mkstemp(path);
		size_t size, len = strlen(rows[i].text);
		FILE *err = open_memstream(&told, &size);
		struct conf *conf;

		assert_int_equal(write(fd, rows[i].text, len), len);
		close(fd);
		conf = settings_load(path, err);
		fclose(err);
		unlink(path);
		if ((conf != NULL) != rows[i].loads || (rows[i].told[0] ? !strstr(told, rows[i].told) : told[0]))
			fail_msg("%s: loaded %d, told \"%s\"", rows[i].label, conf != NULL, told);
		if (conf) {
			assert_string_equal(conf->control, "/run/x/control");
			assert_string_equal(conf->state, "/var/x");
		}
		conf_unref(&conf);
		free(told);
	}
}

static void a_missing_file_is_told_by_name(void **state)
{
	char *told = NULL;
	size_t size;
	FILE *err = open_memstream(&told, &size);

	assert_null(settings_load("/nonexistent/relay.yaml", err));
	fclose(err);
	assert_non_null(strstr(told, "/nonexistent/relay.yaml: No such file"));
	free(told);
}

static struct hash_wish wish;

/* Hash what `input` holds; the output without its line feed, malloc'ed. */
static char *hash_of(const char *input, size_t len, enum ops_exit want)
{
	char *text = NULL, *told = NULL, byte = '\n';
	size_t size, told_size;
	FILE *in = len > 0 ? fmemopen((void *)(uintptr_t)input, len, "r") : fmemopen(&byte, 1, "r");
	FILE *out = open_memstream(&text, &size), *err = open_memstream(&told, &told_size);
	enum ops_exit status = hash_run(&wish, in, out, err);

	fclose(in);
	fclose(out);
	fclose(err);
	if (status != want || (status == OPS_DONE) == (told[0] != '\0') || (status == OPS_DONE) == (text[0] == '\0'))
		fail_msg("status %d, said \"%s\", told \"%s\"", status, text, told);
	text[strcspn(text, "\n")] = '\0';
	free(told);
	return text;
}

static void a_password_verifies_against_its_hash(void **state)
{
	static const char *const INPUTS[] = { "secret word\n", "secret word", "secret word\r\n", "secret word\nsecond line\n" };
	struct crypt_data *data = xcalloc(1, sizeof(*data));

	wish = (struct hash_wish){ .length_least = HASH_LENGTH_LEAST };
	for (size_t i = 0; i < ARRAY_LEN(INPUTS); i++) {
		char *hash = hash_of(INPUTS[i], strlen(INPUTS[i]), OPS_DONE);

		assert_int_equal(strncmp(hash, "$y$", 3), 0);
		assert_string_equal(crypt_r("secret word", hash, data), hash);
		assert_string_not_equal(crypt_r("Secret word", hash, data), hash);
		free(hash);
	}
	free(data);
}

static void a_weak_password_is_refused(void **state)
{
	static const struct { const char *input; uint32_t least; bool scram; enum ops_exit want; } rows[] = {
		{ "123456789", 10, false, OPS_REFUSED },     { "1234567890", 10, false, OPS_DONE },
		{ "aaaaaaaaaaaa", 10, false, OPS_REFUSED },  { "abababababab", 10, false, OPS_REFUSED },
		{ "abcdeabcde", 10, false, OPS_DONE },       { "short", 5, false, OPS_DONE },
		{ "x", 1, false, OPS_DONE },                 { "long enough", 20, false, OPS_REFUSED },
		{ "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9", 10, false, OPS_REFUSED }, /* ten bytes, five characters */
		{ "123456789", 10, true, OPS_REFUSED },      { "gr\xc3\xbc\xc3\x9f" "e an alle", 10, true, OPS_REFUSED },
		{ "gr\xc3\xbc\xc3\x9f" "e an alle", 10, false, OPS_DONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		wish = (struct hash_wish){ .scram = rows[i].scram, .length_least = rows[i].least };
		free(hash_of(rows[i].input, strlen(rows[i].input), rows[i].want));
	}
}

static void a_password_verifies_against_its_verifier(void **state)
{
	char *verifier;

	wish = (struct hash_wish){ .scram = true, .length_least = HASH_LENGTH_LEAST };
	verifier = hash_of("secret word\n", 12, OPS_DONE);
	assert_true(credential_check(verifier, "secret word"));
	assert_false(credential_check(verifier, "secret words"));
	free(verifier);
}

static void no_password_and_a_strange_one_are_refused(void **state)
{
	char many[700];

	wish = (struct hash_wish){ .length_least = 1 };
	memset(many, 'x', sizeof(many));
	free(hash_of("", 0, OPS_REFUSED));
	free(hash_of("\r\n", 2, OPS_REFUSED));
	free(hash_of("a\0b\n", 4, OPS_REFUSED));
	free(hash_of(many, sizeof(many), OPS_REFUSED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broken_file_still_names_socket_and_state), cmocka_unit_test(a_missing_file_is_told_by_name),
		cmocka_unit_test(a_password_verifies_against_its_hash), cmocka_unit_test(no_password_and_a_strange_one_are_refused),
		cmocka_unit_test(a_weak_password_is_refused), cmocka_unit_test(a_password_verifies_against_its_verifier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
