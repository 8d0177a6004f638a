/* relay/relayd.c - the command line of the daemon. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "relay/daemon/certificates.h"
#include "relay/daemon/daemon.h"
#include "relay/deliver/verdict.h"
#include "relay/sign/keyring.h"

#define DEFAULT_FILE "/etc/warmrelay/relay.yaml"

static const char USAGE[] =
    "usage: relayd [-c FILE]              run in the foreground\n"
    "       relayd [-c FILE] -n           check the configuration and the files that it names, then exit\n"
    "       relayd [-c FILE] --dump       print the effective configuration with the origin of each value\n"
    "       relayd --explain KEY          what a setting means, its default and bounds\n"
    "       relayd --reference            the reference page of all settings, in Markdown\n"
    "       relayd --version\n"
    "FILE: default " DEFAULT_FILE ". Exit status: 0 done, 1 configuration, 2 usage, 3 cannot bind or open.\n";

enum mode { MODE_RUN, MODE_CHECK, MODE_DUMP };

/* Whether the user can open the files, whether the keys and certificates in them are any good, and whether the rules about replies do what
 * they say. */
static void check(struct conf *conf, struct conf_faults *faults)
{
	struct tls_server *tls;

	verdict_check(conf, true, faults);
	conf_check_files(conf, faults);
	if (faults->count > 0)
		return;
	(void)!keyring_attach(conf, faults);
	tls = certificates_load(conf, true, faults);
	tls_server_unref(&tls);
}

static void print_warnings(const char *lines)
{
	for (size_t len; *lines; lines += len) {
		len = strcspn(lines, "\n");
		(void)fprintf(stderr, "warning: %.*s\n", (int)len, lines);
		len += lines[len] == '\n';
	}
}

static struct conf *load(const char *file, bool check_files)
{
	struct conf_faults faults;
	struct conf *conf = conf_load(file, &faults);

	if (conf && check_files)
		check(conf, &faults);
	else if (conf)
		verdict_check(conf, false, &faults);
	print_warnings(faults.warnings);
	(void)fputs(faults.text, stderr);
	if (faults.count > 0) {
		(void)fprintf(stderr, "%s: %zu error%s\n", file, faults.count, faults.count == 1 ? "" : "s");
		conf_unref(&conf);
	}
	conf_faults_free(&faults);
	return conf;
}

static int explain(const char *key)
{
	struct err_detail why;

	if (conf_explain(key, stdout, &why) == OK)
		return RELAYD_OK;
	(void)fprintf(stderr, "relayd: %s\n", why.text);
	return RELAYD_CONFIGURATION;
}

static int run(const char *file, enum mode mode)
{
	struct conf *conf = load(file, mode == MODE_CHECK);

	if (!conf)
		return RELAYD_CONFIGURATION;
	switch (mode) {
	case MODE_RUN:
		return daemon_run(conf);
	case MODE_CHECK:
		(void)printf("%s: no errors\n", file);
		break;
	case MODE_DUMP:
		conf_dump(conf, stdout);
		break;
	}
	conf_unref(&conf);
	return RELAYD_OK;
}

int main(int argc, char **argv)
{
	enum { OPT_DUMP = 256, OPT_EXPLAIN, OPT_REFERENCE, OPT_VERSION, OPT_HELP };
	static const struct option OPTIONS[] = {
	    {"dump", no_argument, NULL, OPT_DUMP},           {"explain", required_argument, NULL, OPT_EXPLAIN},
	    {"reference", no_argument, NULL, OPT_REFERENCE}, {"version", no_argument, NULL, OPT_VERSION},
	    {"help", no_argument, NULL, OPT_HELP},           {NULL, 0, NULL, 0},
	};
	const char *file = DEFAULT_FILE;
	enum mode mode = MODE_RUN;

	for (int opt; (opt = getopt_long(argc, argv, "c:n", OPTIONS, NULL)) != -1;) {
		switch (opt) {
		case 'c':
			file = optarg;
			break;
		case 'n':
			mode = MODE_CHECK;
			break;
		case OPT_DUMP:
			mode = MODE_DUMP;
			break;
		case OPT_EXPLAIN:
			return explain(optarg);
		case OPT_REFERENCE:
			conf_reference(stdout);
			return RELAYD_OK;
		case OPT_VERSION:
			(void)puts("relayd (warmrelay) " WARMRELAY_VERSION);
			return RELAYD_OK;
		case OPT_HELP:
			(void)fputs(USAGE, stdout);
			return RELAYD_OK;
		default:
			(void)fputs(USAGE, stderr);
			return RELAYD_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "relayd: unexpected argument \"%s\"\n%s", argv[optind], USAGE);
		return RELAYD_USAGE;
	}
	return run(file, mode);
}
