/* tests/unit/conf/test_files.c - files are tried as the user that the daemon becomes. */
#include "tests/unit/conf/conf_test.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static const char *const names[] = { "relay.yaml", "cert.pem", "key.pem", "dkim.pem", "anchor.ds" };

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/warmrelay-files-XXXXXX");
	if (!mkdtemp(folder) || chmod(folder, 0755) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = xasprintf("%s/%s", folder, names[i]);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		free(path);
		if (fd < 0 || fchmod(fd, 0644) != 0)
			return -1;
		close(fd);
	}
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = xasprintf("%s/%s", folder, names[i]);

		(void)unlink(path);
		free(path);
	}
	return rmdir(folder);
}

static void set_mode(const char *name, mode_t mode)
{
	char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(chmod(path, mode), 0);
	free(path);
}

/* Check a configuration that names all files, run by `user`. */
static void check(const char *user, const char *more, struct conf_faults *faults)
{
	char *file = xasprintf("%s/relay.yaml", folder);
	char *text = xasprintf("hostname: a.example\nuser: %s\nlisten: [{at: \"127.0.0.1:25\", tls: starttls}]\n"
	    "tls: {cert: cert.pem, key: key.pem}\ndkim: [{domain: a.example, selector: s, key: dkim.pem}]\n"
	    "tenants: [{name: t, from: [10.0.0.0/8]}]\ndns: {anchors: [anchor.ds]}\n%s", user, more);
	struct conf *conf = conf_load_text(file, text, strlen(text), faults);

	if (!conf)
		fail_msg("%s", faults->text);
	conf_check_files(conf, faults);
	conf_unref(&conf);
	free(text);
	free(file);
}

static const char *self(void)
{
	const struct passwd *user = getpwuid(geteuid());

	return user ? user->pw_name : "root";
}

static void readable_files_are_no_fault(void **state)
{
	struct conf_faults faults;

	(void)state;
	check(self(), "state: .\n", &faults);
	assert_string_equal(faults.text, "");
	conf_faults_free(&faults);
}

static void a_missing_file_is_a_fault_at_the_key_that_names_it(void **state)
{
	struct conf_faults faults;
	char *path = xasprintf("%s/dkim.pem", folder), *want;

	(void)state;
	assert_int_equal(unlink(path), 0);
	check(self(), "state: .\n", &faults);
	assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
	want = xasprintf("%s/relay.yaml:5:46: dkim.key: cannot use %s (No such file or directory), expected a file that user "
	    "\"%s\" can read\n", folder, path, self());
	assert_string_equal(faults.text, want);
	conf_faults_free(&faults);
	free(want);
	free(path);
}

static void a_state_folder_that_is_not_there_yet_is_a_warning(void **state)
{
	struct conf_faults faults;

	(void)state;
	check(self(), "state: later\n", &faults);
	assert_string_equal(faults.text, "");
	assert_non_null(strstr(faults.warnings, "relay.yaml:8:8: state: found no "));
	conf_faults_free(&faults);
	check(self(), "state: cert.pem\n", &faults);
	assert_non_null(strstr(faults.text, "(Not a directory), expected a folder"));
	conf_faults_free(&faults);
}

static void root_tries_the_files_as_the_user_it_becomes(void **state)
{
	struct conf_faults faults;

	(void)state;
	if (geteuid() != 0 || !getpwnam("nobody"))
		skip();
	set_mode("key.pem", 0600);
	check("nobody", "state: .\n", &faults);
	set_mode("key.pem", 0644);
	assert_int_equal(faults.count, 2);
	assert_non_null(strstr(faults.text, "tls.key: cannot use"));
	assert_non_null(strstr(faults.text, "(Permission denied), expected a file that user \"nobody\" can read\n"));
	assert_non_null(strstr(faults.text, "expected a folder that user \"nobody\" can write\n"));
	conf_faults_free(&faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable_files_are_no_fault),
		cmocka_unit_test(a_missing_file_is_a_fault_at_the_key_that_names_it),
		cmocka_unit_test(a_state_folder_that_is_not_there_yet_is_a_warning),
		cmocka_unit_test(root_tries_the_files_as_the_user_it_becomes),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
