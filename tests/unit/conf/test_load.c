/* tests/unit/conf/test_load.c - what is wrong with a file is said with its place, all in one pass. */
#include "tests/unit/conf/conf_test.h"

#define H "hostname: relay.example.net\nuser: root\n"         /* lines 1 and 2 */
#define L "listen: [{at: \"127.0.0.1:2525\"}]\n"              /* line 3 */

static void check_faults(const char *label, const char *text, size_t len, const char *want)
{
	struct conf_faults faults;
	struct conf *conf = conf_load_text("relay.yaml", text, len, &faults);

	if (conf || strcmp(faults.text, want) != 0)
		fail_msg("%s: want\n%sgot\n%s", label, want, faults.text);
	conf_faults_free(&faults);
}

struct bad {
	const char *label, *text, *want;
};

static void check_table(const struct bad *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_faults(rows[i].label, rows[i].text, strlen(rows[i].text), rows[i].want);
}

static void a_bad_key_or_shape_is_named_with_its_place(void **state)
{
	static const struct bad rows[] = {
		{ "unknown key with a near one", H L "lanes: {conections: 3}\n",
		  "relay.yaml:4:9: unknown key \"conections\", did you mean \"connections\"?\n" },
		{ "unknown key at the top", "hostnme: x.example\nuser: root\n" L,
		  "relay.yaml:1:1: unknown key \"hostnme\", did you mean \"hostname\"?\n" },
		{ "unknown key without a near one", H L "retry: {colour: red}\n",
		  "relay.yaml:4:9: unknown key \"colour\", expected one of: first, max, expire, expire_transactional, expire_bulk, warn, warnings\n" },
		{ "unknown key in an entry", H L "tenants:\n  - name: t\n    form: [10.0.0.0/8]\n",
		  "relay.yaml:6:5: unknown key \"form\", did you mean \"from\"?\n" },
		{ "a dotted key is no map", H L "retry.first: 5m\n",
		  "relay.yaml:4:1: unknown key \"retry.first\", expected one of: hostname, state, control, user, workers, listen, trusted, "
		  "tls, admin, limits, auth, bruteforce, hygiene, log, tenants, dkim, signing, sources, plans, warmup, pools, providers, replies, lanes, slow_start, routes, bounce, dead, dns, delivery, mta_sts, tls_rpt, retry, suppression, blocklists, alerts\n" },
		{ "duplicate key", H L "workers: 1\nworkers: 2\n",
		  "relay.yaml:5:1: duplicate key \"workers\", expected it once: it stands in line 4\n" },
		{ "text for a list", H "listen: 25\n", "relay.yaml:3:9: listen is a text, expected a list\n" },
		{ "text for a map", H L "retry: 5m\n",
		  "relay.yaml:4:8: retry is a text, expected a map of: first, max, expire, expire_transactional, expire_bulk, warn, warnings\n" },
		{ "nothing for a map", H L "tls:\n", "relay.yaml:4:5: tls is nothing, expected a map of: cert, key, more\n" },
		{ "map for a text", H L "workers: {a: 1}\n",
		  "relay.yaml:4:10: workers is a map, expected a whole number from 0 to 256\n" },
		{ "text for an entry", H "listen: [\"127.0.0.1:25\"]\n",
		  "relay.yaml:3:10: an entry of listen is a text, expected a map\n" },
		{ "key missing in an entry", H L "dkim: [{domain: a.example, selector: s}]\n",
		  "relay.yaml:4:8: found no \"key\", expected a path\n" },
		{ "names that point into a broken list", H L "sources: {a: 1}\npools: [{name: p, sources: [a]}]\n",
		  "relay.yaml:4:10: sources is a map, expected a list\n" },
		{ "empty list", H L "sources: []\n", "relay.yaml:4:10: sources is an empty list, expected at least one entry\n" },
		{ "pool without sources", H L "pools: [{name: p}]\n", "relay.yaml:4:9: found no \"sources\", expected a list\n" },
		{ "pool of no source", H L "pools: [{name: p, sources: []}]\n",
		  "relay.yaml:4:28: sources is an empty list, expected at least one entry\n" },
		{ "no listener", H, "relay.yaml:1:1: found no \"listen\", expected at least one address such as 127.0.0.1:25\n" },
		{ "a list as the file", "- a\n- b\n", "relay.yaml:1:1: found a list, expected \"key: value\" lines\n" },
		{ "a text as the file", "hello\n", "relay.yaml:1:1: found a text, expected \"key: value\" lines\n" },
		{ "an empty file", "", "relay.yaml:1:1: found no setting, expected at least \"listen:\"\n" },
		{ "comments alone", "# nothing\n", "relay.yaml:1:1: found no setting, expected at least \"listen:\"\n" },
	};

	(void)state;
	check_table(rows, ARRAY_LEN(rows));
}

static void a_bad_value_is_named_with_what_was_expected(void **state)
{
	static const struct bad rows[] = {
		{ "out of range", H L "retry: {first: 9d}\n",
		  "relay.yaml:4:16: retry.first is \"9d\", expected a duration from 1s to 1d\n" },
		{ "no unit", H L "delivery: {timeouts: {mail: 30}}\n",
		  "relay.yaml:4:29: delivery.timeouts.mail is \"30\", expected a duration from 1s to 1h\n" },
		{ "combined duration", H L "retry: {max: 1h30m}\n",
		  "relay.yaml:4:14: retry.max is \"1h30m\", expected a duration from 1s to 7d\n" },
		{ "number too large for any type", H L "limits: {message: 99999999999999999999T}\n",
		  "relay.yaml:4:19: limits.message is \"99999999999999999999T\", expected a size from 1K to 2G\n" },
		{ "negative", H L "workers: -1\n", "relay.yaml:4:10: workers is \"-1\", expected a whole number from 0 to 256\n" },
		{ "bad rate", H L "lanes: {rate: 600/w}\n",
		  "relay.yaml:4:15: lanes.rate is \"600/w\", expected none or a rate from 1/d to 40000/s\n" },
		{ "bad flag", H L "delivery: {prefer_ipv6: yes}\n",
		  "relay.yaml:4:25: delivery.prefer_ipv6 is \"yes\", expected true or false\n" },
		{ "bad word", H "listen: [{at: \"127.0.0.1:25\", tls: ssl}]\n",
		  "relay.yaml:3:36: tls is \"ssl\", expected one of none, starttls, implicit\n" },
		{ "bad date", H L "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: fast, since: 2026-02-30}}]\n",
		  "relay.yaml:4:64: warmup.since is \"2026-02-30\", expected a date from 2000-01-01 to 2199-12-31\n" },
		{ "bad address", H L "sources: [{name: a, ip: 192.0.2.256}]\n",
		  "relay.yaml:4:25: ip is \"192.0.2.256\", expected an IP address such as 192.0.2.10 or 2001:db8::1\n" },
		{ "host bits in a network", H L "tenants: [{name: t, from: [10.1.0.5/16]}]\n",
		  "relay.yaml:4:28: from is \"10.1.0.5/16\", expected a network such as 10.1.0.0/16 or 2001:db8::/32, without bits "
		  "after the prefix\n" },
		{ "endpoint without port", H "listen: [{at: 127.0.0.1}]\n",
		  "relay.yaml:3:15: at is \"127.0.0.1\", expected address and port such as 127.0.0.1:25 or [::]:465\n" },
		{ "port 0", H "listen: [{at: \"127.0.0.1:0\"}]\n",
		  "relay.yaml:3:15: at is \"127.0.0.1:0\", expected address and port such as 127.0.0.1:25 or [::]:465\n" },
		{ "name with a blank", H L "tenants: [{name: a b, from: [10.0.0.0/8]}]\n",
		  "relay.yaml:4:18: name is \"a b\", expected a name of at most 64 letters, digits, \"-\", \"_\" and \".\" that "
		  "begins with a letter or digit\n" },
		{ "domain that is an address", H L "routes: [{domain: 192.0.2.1, to: \"a.example:25\"}]\n",
		  "relay.yaml:4:19: domain is \"192.0.2.1\", expected a domain name such as example.org, or \"*\" for all\n" },
		{ "route without port", H L "routes: [{domain: a.example, to: b.example}]\n",
		  "relay.yaml:4:34: to is \"b.example\", expected host and port such as mx.example.net:25, 192.0.2.1:25 or "
		  "[2001:db8::1]:25\n" },
		{ "a hash is not repeated", H L "tenants: [{name: t, logins: [{user: u, hash: secret}]}]\n",
		  "relay.yaml:4:46: hash is not usable, expected a yescrypt, scrypt, bcrypt or SHA-2 hash of crypt(3), or a "
		  "SCRAM-SHA-256 verifier, as relayq hash prints them\n" },
		{ "a proxy's password is not repeated", H L "sources: [{name: a, ip: 192.0.2.1, via: \"socks5://u:secret@proxy:1080\"}]\n",
		  "relay.yaml:4:41: via is not usable, expected a proxy such as socks5://192.0.2.1:1080 or "
		  "socks5://user:password@[2001:db8::1]:1080\n" },
		{ "a hash that was cut", H L "tenants: [{name: t, logins: [{user: u, hash: $y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M}]}]\n",
		  "relay.yaml:4:46: hash is not usable, expected a yescrypt, scrypt, bcrypt or SHA-2 hash of crypt(3), or a "
		  "SCRAM-SHA-256 verifier, as relayq hash prints them\n" },
	};

	(void)state;
	check_table(rows, ARRAY_LEN(rows));
}

static void a_rule_across_settings_is_checked(void **state)
{
	static const struct bad rows[] = {
		{ "dangling source", H L "sources: [{name: alpha, ip: 127.0.0.2}]\npools: [{name: p, sources: [alhpa]}]\n",
		  "relay.yaml:5:29: unknown source \"alhpa\", did you mean \"alpha\"?\n" },
		{ "dangling pool", H L "pools: [{name: p, sources: [default]}]\ntenants: [{name: t, from: [10.0.0.0/8], pool: qqqqq}]\n",
		  "relay.yaml:5:47: unknown pool \"qqqqq\", expected one of: p\n" },
		{ "dangling bounce pool", H L "bounce: {pool: defualt}\n",
		  "relay.yaml:4:16: unknown pool \"defualt\", did you mean \"default\"?\n" },
		{ "pool needed", H L "pools: [{name: p, sources: [default]}, {name: q, sources: [default]}]\n"
		  "tenants: [{name: t, from: [10.0.0.0/8]}]\n",
		  "relay.yaml:5:11: found no \"pool\", expected one as there are 2\n" },
		{ "source twice in a pool", H L "pools: [{name: p, sources: [default, default]}]\n",
		  "relay.yaml:4:38: duplicate source in pool p \"default\", expected another: it stands in line 4\n" },
		{ "rewriting without an address", H L "tenants: [{name: t, from: [10.0.0.0/8], others: {from: rewrite}}]\n",
		  "relay.yaml:4:56: rewrite without others.address, expected an address to send as\n" },
		{ "an address that is none", H L "tenants: [{name: t, from: [10.0.0.0/8], others: {address: shop}}]\n",
		  "relay.yaml:4:59: others.address is \"shop\", expected an address in ASCII such as postmaster@example.net\n" },
		{ "duplicate names", H L "tenants:\n  - {name: t, from: [10.0.0.0/8]}\n  - {name: t, from: [11.0.0.0/8]}\n",
		  "relay.yaml:6:12: duplicate tenant name \"t\", expected another: it stands in line 5\n" },
		{ "duplicate network", H L "tenants:\n  - {name: t, from: [10.0.0.0/8]}\n  - {name: u, from: [10.0.0.0/8]}\n",
		  "relay.yaml:6:22: duplicate network \"10.0.0.0/8\", expected another: it stands in line 5\n" },
		{ "duplicate login", H L "tenants:\n  - {name: t, logins: [{user: u, hash: \"" TEST_HASH "\"}]}\n"
		  "  - {name: s, logins: [{user: u, hash: \"" TEST_HASH "\"}]}\n",
		  "relay.yaml:6:31: duplicate login \"u\", expected another: it stands in line 5\n" },
		{ "duplicate listener", H "listen: [{at: \"127.0.0.1:25\"}, {at: \"127.0.0.1:25\"}]\n",
		  "relay.yaml:3:37: duplicate listen address \"127.0.0.1:25\", expected another: it stands in line 3\n" },
		{ "HTTPS without a certificate", H L "admin: {at: \"127.0.0.1:80\", tls: true}\n",
		  "relay.yaml:4:34: admin.tls is true, expected tls.cert and tls.key with it\n" },
		{ "page on a listener", H L "admin: {at: \"127.0.0.1:2525\"}\n",
		  "relay.yaml:4:13: duplicate listen address \"127.0.0.1:2525\", expected another: it stands in line 3\n" },
		{ "duplicate source address", H L "sources: [{name: a, ip: 127.0.0.2}, {name: b, ip: 127.0.0.2}]\n",
		  "relay.yaml:4:51: duplicate source address \"127.0.0.2\", expected another: it stands in line 4\n" },
		{ "source without an address", H L "sources: [{name: a, ip: 0.0.0.0}]\n",
		  "relay.yaml:4:25: ip is 0.0.0.0, expected an address of this machine\n" },
		{ "duplicate provider", H L "providers: [{name: gmail, messages: 1}, {name: gmail, mx: [a.example]}]\n",
		  "relay.yaml:4:48: duplicate provider name \"gmail\", expected another: it stands in line 4\n" },
		{ "provider of nothing", H L "providers: [{name: own, messages: 1}]\n",
		  "relay.yaml:4:13: the provider has neither \"domains\" nor \"mx\", expected one\n" },
		{ "duplicate route", H L "routes: [{domain: A.example, to: \"b:25\"}, {domain: a.example, to: \"c:25\"}]\n",
		  "relay.yaml:4:52: duplicate route \"a.example\", expected another: it stands in line 4\n" },
		{ "duplicate signing key", H L "dkim: [{domain: a.example, selector: s, key: k}, {domain: A.example, selector: s, key: l}]\n",
		  "relay.yaml:4:80: duplicate key name \"s._domainkey.a.example\", expected another: it stands in line 4\n" },
		{ "tls without certificate", H "listen: [{at: \"127.0.0.1:25\", tls: starttls}]\n",
		  "relay.yaml:3:36: tls is on without a certificate, expected tls: {cert: FILE, key: FILE} or tls: none here\n" },
		{ "certificate without key", H L "tls: {cert: c.pem}\n",
		  "relay.yaml:4:13: tls.cert stands alone, expected tls.cert and tls.key\n" },
		{ "proxy that nobody may be", H "listen: [{at: \"127.0.0.1:25\", proxy: true}]\n",
		  "relay.yaml:3:38: proxy is on without anybody to believe, expected trusted: [networks of the proxies]\n" },
		{ "login in clear", H "listen: [{at: \"127.0.0.1:25\", auth: optional}]\n",
		  "relay.yaml:3:37: auth is on where tls is none, expected tls: starttls or implicit, as passwords never go in clear\n" },
		{ "unknown user", "hostname: a.example\nuser: no-such-user-here\n" L,
		  "relay.yaml:2:7: unknown user \"no-such-user-here\", expected one of this system\n" },
		{ "first above max", H L "retry: {first: 5h}\n",
		  "relay.yaml:4:16: retry.first is above retry.max, expected at most that\n" },
		{ "dangling plan", H L "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: standart}}]\n",
		  "relay.yaml:4:51: unknown plan \"standart\", did you mean \"standard\"?\n" },
		{ "days that fall", H L "plans: [{name: p, days: [10, 9]}]\n",
		  "relay.yaml:4:30: day 2 has 9, expected at least 10\n" },
		{ "days of a plan that adapts", H L "plans: [{name: p, adapt: true, days: [10]}]\n",
		  "relay.yaml:4:38: days of a plan that adapts, expected start and growth\n" },
		{ "zone", H L "warmup: {zone: CET}\n",
		  "relay.yaml:4:16: warmup.zone is \"CET\", expected UTC or an offset such as +01:00 or -05:30\n" },
		{ "since without plan", H L "sources: [{name: a, ip: 127.0.0.2, warmup: {since: 2026-01-01}}]\n",
		  "relay.yaml:4:52: warmup.since stands alone, expected warmup.plan\n" },
		{ "short text lines", H L "limits: {text_line: 80}\n",
		  "relay.yaml:4:21: limits.text_line is 80, expected 0 or at least 1000\n" },
	};

	(void)state;
	check_table(rows, ARRAY_LEN(rows));
}

static void what_is_not_plain_yaml_is_refused(void **state)
{
	static const struct bad rows[] = {
		{ "tab", H "listen:\n\t- {at: x}\n", "relay.yaml:4:1: found a tab, expected spaces\n" },
		{ "tab behind other letters", "# \xc3\xa9\xc3\xa9\nretry:\n\tfirst: 5m\n",
		  "relay.yaml:3:1: found a tab, expected spaces\n" },
		{ "alias", H L "limits: &a {message: 1M}\nretry: *a\n",
		  "relay.yaml:4:9: found an anchor (&), expected a plain value\n"
		  "relay.yaml:5:8: found an alias (*), expected a plain value\n"
		  "relay.yaml:5:8: retry is a text, expected a map of: first, max, expire, expire_transactional, expire_bulk, warn, warnings\n" },
		{ "tag", H L "workers: !!int 3\n", "relay.yaml:4:10: found a tag (!), expected a plain value\n" },
		{ "second document", H L "---\nworkers: 1\n", "relay.yaml:4:1: found a second document, expected one\n" },
		{ "not UTF-8", H L "bounce: {pool: \xff}\n", "relay.yaml:4:16: found the byte 0xff, expected UTF-8\n" },
		{ "overlong UTF-8", H "\xc0\xaf", "relay.yaml:3:1: found the byte 0xc0, expected UTF-8\n" },
		{ "control character", H L "bounce: {pool: \x1b}\n",
		  "relay.yaml:4:16: found the control character 0x1b, expected text\n" },
		{ "zero byte by escape", H L "bounce: {pool: \"a\\0b\"}\n",
		  "relay.yaml:4:16: found a zero byte, expected a plain value\n"
		  "relay.yaml:4:16: bounce.pool is \"\", expected a name of at most 64 letters, digits, \"-\", \"_\" and \".\" "
		  "that begins with a letter or digit\n" },
		{ "nested too deep", "a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n",
		  "relay.yaml:1:1: unknown key \"a\", expected one of: hostname, state, control, user, workers, listen, trusted, tls, admin, "
		  "limits, auth, bruteforce, hygiene, log, tenants, dkim, signing, sources, plans, warmup, pools, providers, replies, lanes, slow_start, routes, bounce, dead, dns, delivery, mta_sts, tls_rpt, retry, suppression, blocklists, alerts\n"
		  "relay.yaml:1:19: lists and maps are nested too deep, expected at most 16\n" },
		{ "faults before a syntax error are shown", "hostnme: x\nworkers: 1\nlisten: [}\n",
		  "relay.yaml:1:1: unknown key \"hostnme\", did you mean \"hostname\"?\n"
		  "relay.yaml:3:10: did not find expected node content, expected YAML\n" },
	};

	(void)state;
	check_table(rows, ARRAY_LEN(rows));
	check_faults("zero byte", H "work\0ers: 1\n", sizeof(H "work\0ers: 1\n") - 1,
	    "relay.yaml:3:5: found the control character 0x00, expected text\n");
}

static void all_faults_are_shown_in_the_order_of_the_file(void **state)
{
	(void)state;
	check_faults("five faults", "hostname: a..b\nlisten: [{at: nowhere}]\nretry: {frist: 1m, max: 1w}\nuser: root\n"
	    "pools: [{name: p, sources: [x]}]\n",
	    strlen("hostname: a..b\nlisten: [{at: nowhere}]\nretry: {frist: 1m, max: 1w}\nuser: root\n"
	    "pools: [{name: p, sources: [x]}]\n"),
	    "relay.yaml:1:11: hostname is \"a..b\", expected a domain name in ASCII such as mail.example.net\n"
	    "relay.yaml:2:15: at is \"nowhere\", expected address and port such as 127.0.0.1:25 or [::]:465\n"
	    "relay.yaml:3:9: unknown key \"frist\", did you mean \"first\"?\n"
	    "relay.yaml:3:25: retry.max is \"1w\", expected a duration from 1s to 7d\n"
	    "relay.yaml:5:29: unknown source \"x\", expected one of: default\n");
}

static void a_flood_of_faults_is_counted(void **state)
{
	char *text = xasprintf(H L), *old;
	struct conf_faults faults;

	(void)state;
	for (int i = 0; i < 300; i++) {
		old = text;
		text = xasprintf("%szz%d: 1\n", old, i);
		free(old);
	}
	assert_null(conf_load_text("t", text, strlen(text), &faults));
	assert_int_equal(faults.count, 300);
	assert_non_null(strstr(faults.text, "... and 100 more\n"));
	conf_faults_free(&faults);
	free(text);
}

/* `count` times `part`, between two texts; malloc'ed. */
static char *repeated(const char *before, const char *part, size_t count, const char *after)
{
	size_t len = strlen(part);
	char *text = xcalloc(strlen(before) + len * count + strlen(after) + 1, 1), *end = stpcpy(text, before);

	for (size_t i = 0; i < count; i++)
		end = mempcpy(end, part, len);
	memcpy(end, after, strlen(after));
	return text;
}

static void a_file_that_is_too_large_is_refused(void **state)
{
	static const struct { const char *label, *before, *part, *after, *want; size_t count; } rows[] = {
		{ "bytes", H L, "# comment comment comment comment\n", "", "relay.yaml: found 8500072 bytes, expected at most 8388608\n",
		  250000 },
		{ "values", H L "workers: [", "a,", "a]\n", "relay.yaml:4:10: workers is a list, expected a whole number from "
		  "0 to 256\nrelay.yaml:4:999987: too many values, expected at most 500000\n", 500000 },
		{ "a text", H L "bounce: {pool: ", "a", "}\n", "relay.yaml:4:16: found a text of 5000 bytes, expected at most 4096\n", 5000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = repeated(rows[i].before, rows[i].part, rows[i].count, rows[i].after);
		struct conf_faults faults;

		assert_null(conf_load_text("relay.yaml", text, strlen(text), &faults));
		if (strncmp(faults.text, rows[i].want, strlen(rows[i].want)) != 0)
			fail_msg("%s: want %s, got %s", rows[i].label, rows[i].want, faults.text);
		conf_faults_free(&faults);
		free(text);
	}
}

static void what_the_operator_should_know_is_a_warning(void **state)
{
	static const struct { const char *label, *text, *want; } rows[] = {
		{ "no tenant", H L, "t.yaml:1:1: found no \"tenants\", expected some: nobody may send\n" },
		{ "tenant that nobody is", H L "tenants: [{name: t}]\n",
		  "t.yaml:4:11: the tenant has neither \"from\" nor \"logins\", expected one: nobody can send as it\n" },
		{ "open relay", H L "tenants: [{name: t, from: [0.0.0.0/0]}]\n",
		  "t.yaml:4:28: network 0.0.0.0/0 is the whole world, expected your own: anybody may send as \"t\"\n" },
		{ "logins nobody can use", H L "tenants: [{name: t, logins: [{user: u, hash: \"" TEST_HASH "\"}]}]\n",
		  "t.yaml:4:10: there are logins and no listener with auth, expected auth: optional or required in listen\n" },
		{ "page for everybody", H L "admin: {at: \"0.0.0.0:80\"}\ntenants: [{name: t, from: [10.0.0.0/8]}]\n",
		  "t.yaml:4:13: admin.at is 0.0.0.0:80, expected a loopback address: only /api/v1 asks for a login\n" },
		{ "an address for nothing", H L "tenants: [{name: t, from: [10.0.0.0/8], others: {address: a@b.example}}]\n",
		  "t.yaml:4:59: others.address stands alone, expected rewrite in others.envelope or others.from\n" },
		{ "nothing to say", H L "tenants: [{name: t, from: [10.0.0.0/8]}]\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf_faults faults;
		struct conf *conf = conf_load_text("t.yaml", rows[i].text, strlen(rows[i].text), &faults);

		if (!conf || strcmp(faults.warnings, rows[i].want) != 0)
			fail_msg("%s: want\n%sgot\n%s%s", rows[i].label, rows[i].want, faults.text, faults.warnings);
		conf_unref(&conf);
		conf_faults_free(&faults);
	}
}

static void what_is_left_out_is_completed(void **state)
{
	struct conf *conf = load_good("user: root\n" L "tenants: [{name: t, from: [10.0.0.0/8]}]\n");

	(void)state;
	assert_non_null(conf->hostname);
	assert_true(conf->workers >= 1);
	assert_int_equal(conf->source_count, 1);
	assert_string_equal(conf->sources[0].name, "default");
	assert_int_equal(conf->sources[0].ip.family, 0);
	assert_string_equal(conf->sources[0].ehlo, conf->hostname);
	assert_string_equal(conf->pools[0].name, "default");
	assert_int_equal(conf->pools[0].sources[0], 0);
	assert_string_equal(conf->tenants[0].pool, "default");
	assert_string_equal(conf->bounce_pool, "default");
	assert_false(conf->dns.anchors_given);
	assert_true(conf->delivery.refuse_network_count > 10);
	assert_true(conf->provider_count >= 25);
	conf_unref(&conf);
}

static void a_route_is_split_into_host_and_port(void **state)
{
	struct conf *conf = load_good(H L "routes:\n  - {domain: a.example, to: \"Mx.Example:26\"}\n"
	    "  - {domain: b.example, to: \"[2001:db8::1]:27\"}\n");

	(void)state;
	assert_string_equal(conf->routes[0].to_host, "mx.example");
	assert_int_equal(conf->routes[0].to_ip.family, 0);
	assert_int_equal(conf->routes[0].to_port, 26);
	assert_string_equal(conf->routes[1].to_host, "2001:db8::1");
	assert_int_equal(conf->routes[1].to_ip.family, AF_INET6);
	assert_int_equal(conf->routes[1].to_port, 27);
	conf_unref(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_key_or_shape_is_named_with_its_place),
		cmocka_unit_test(a_bad_value_is_named_with_what_was_expected),
		cmocka_unit_test(a_rule_across_settings_is_checked),
		cmocka_unit_test(what_is_not_plain_yaml_is_refused),
		cmocka_unit_test(all_faults_are_shown_in_the_order_of_the_file),
		cmocka_unit_test(a_flood_of_faults_is_counted),
		cmocka_unit_test(a_file_that_is_too_large_is_refused),
		cmocka_unit_test(what_the_operator_should_know_is_a_warning),
		cmocka_unit_test(what_is_left_out_is_completed),
		cmocka_unit_test(a_route_is_split_into_host_and_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
