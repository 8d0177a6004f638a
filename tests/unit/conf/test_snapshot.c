/* tests/unit/conf/test_snapshot.c - reading a file, sharing a snapshot, and what a reload cannot change. */
#include "tests/unit/conf/conf_test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/warmrelay-conf-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static char *put_file(const char *name, const char *text, mode_t mode)
{
	char *path = xasprintf("%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static void drop_file(char *path)
{
	assert_int_equal(unlink(path), 0);
	free(path);
}

static void the_shipped_file_is_valid_and_takes_loopback_alone(void **state)
{
	static const struct { const char *address, *tenant; } rows[] = {
		{ "127.0.0.1", "local" }, { "127.9.9.9", "local" }, { "::1", "local" }, { "192.168.0.1", NULL }, { "::2", NULL },
	};
	struct conf_faults faults;
	struct conf *conf = conf_load("conf/relay.yaml", &faults);

	(void)state;
	if (!conf)
		fail_msg("%s", faults.text);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct conf_tenant *tenant;
		struct ip_addr addr;

		assert_true(ip_parse(rows[i].address, &addr));
		tenant = conf_tenant_by_address(conf, &addr);
		assert_int_equal(!tenant, !rows[i].tenant);
	}
	assert_int_equal(conf->listen_count, 2);
	conf_faults_free(&faults);
	conf_unref(&conf);
}

static void a_file_that_cannot_be_read_is_a_fault(void **state)
{
	struct conf_faults faults;

	(void)state;
	assert_null(conf_load("/no/such/relay.yaml", &faults));
	assert_int_equal(faults.count, 1);
	assert_string_equal(faults.text,
	    "/no/such/relay.yaml: cannot be opened (No such file or directory), expected a readable file\n");
	conf_faults_free(&faults);
	assert_null(conf_load(folder, &faults));
	assert_int_equal(faults.count, 1);
	conf_faults_free(&faults);
}

static void a_file_with_hashes_that_all_may_read_is_warned_about(void **state)
{
	static const struct { const char *label, *tenants; mode_t mode; bool warned; } rows[] = {
		{ "hashes, open", "[{name: t, logins: [{user: u, hash: \"" TEST_HASH "\"}]}]", 0644, true },
		{ "hashes, closed", "[{name: t, logins: [{user: u, hash: \"" TEST_HASH "\"}]}]", 0640, false },
		{ "no hashes, open", "[{name: t, from: [10.0.0.0/8]}]", 0644, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = xasprintf(TEST_HEAD "tenants: %s\n", rows[i].tenants);
		char *path = put_file("relay.yaml", text, rows[i].mode);
		struct conf_faults faults;
		struct conf *conf = conf_load(path, &faults);

		assert_non_null(conf);
		if ((strstr(faults.warnings, "everybody may read it") != NULL) != rows[i].warned)
			fail_msg("%s: %s", rows[i].label, faults.warnings);
		conf_faults_free(&faults);
		conf_unref(&conf);
		drop_file(path);
		free(text);
	}
}

static void a_snapshot_lives_until_its_last_reference(void **state)
{
	struct conf *first = load_good(TEST_HEAD), *second = conf_ref(first);

	(void)state;
	conf_unref(&first);
	assert_null(first);
	assert_string_equal(second->hostname, "relay.example.net");
	conf_unref(&second);
	assert_null(second);
	conf_unref(&second);
}

static void what_needs_a_restart_is_named(void **state)
{
	static const struct { const char *label, *change, *want; } rows[] = {
		{ "nothing", "", NULL },
		{ "only what lives", "retry: {first: 1m}\nlog: {level: debug}\n", NULL },
		{ "one", "state: /other\n", "state" },
		{ "several", "control: /other\nstate: /other\nworkers: 9\n", "state, control, workers" },
	};
	struct conf *running = load_good(TEST_HEAD);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = xasprintf(TEST_HEAD "%s", rows[i].change);
		struct conf *next = load_good(text);
		char *got = conf_restart_needed(running, next);

		if (!got != !rows[i].want || (got && strcmp(got, rows[i].want) != 0))
			fail_msg("%s: got %s", rows[i].label, got ? got : "none");
		free(got);
		free(text);
		conf_unref(&next);
	}
	conf_unref(&running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shipped_file_is_valid_and_takes_loopback_alone),
		cmocka_unit_test(a_file_that_cannot_be_read_is_a_fault),
		cmocka_unit_test(a_file_with_hashes_that_all_may_read_is_warned_about),
		cmocka_unit_test(a_snapshot_lives_until_its_last_reference),
		cmocka_unit_test(what_needs_a_restart_is_named),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
