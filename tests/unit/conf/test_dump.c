/* tests/unit/conf/test_dump.c - a dump says where each value came from, and is a configuration itself. */
#include "tests/unit/conf/conf_test.h"

#include "conf/schema.h"

/* Every setting of the schema, once. */
static const char everything[] =
    "hostname: relay.example.net\nstate: state\ncontrol: /run/x/control\nuser: root\nworkers: 3\n"
    "listen: [{at: \"[::1]:2525\", tls: starttls, auth: optional, proxy: true}]\ntrusted: [192.0.2.99]\n"
    "tls: {cert: relay.pem, key: /keys/relay.key, more: [{cert: other.pem, key: other.key}]}\nadmin: {at: \"127.0.0.1:8025\", tls: true}\n"
    "limits: {message: 20M, recipients: 50, connections: 60, per_address: 7, idle: 90s, memory: 8M, disk: 3G, reserve: 5M,\n"
    "  command_line: 1024, text_line: 2000, errors: 4, commands: 44, messages: 55, future: 3d, hops: 33, header: 100K}\n"
    "auth: {cache: 2m, password_length: 12}\nbruteforce: {failures: 3, network: 4, login: 5, window: 6m, delay: 2s, delay_max: 8s, ban: 9m,\n"
    "  ban_max: 10h, lock: 11m, exempt: [10.0.0.0/8]}\n"
    "log: {level: debug, keep: 4d, size: 12M}\n"
    "tenants: [{name: shop, from: [10.1.0.0/16, \"2001:db8::/32\"], logins: [{user: 'a \"b\" \\c: #d', hash: \"" TEST_HASH "\",\n"
    "  cert: \"000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"}],\n"
    "  domains: [Shop.Example], pool: main, tls: required, destination_rate: 11/h, quota: {hour: 5, day: 6, over: delay, window: calendar}, message: 3M,\n"
    "  recipients: 9, connections: 7, dead: false, bounces: event, priority: bulk, priority_raise: true, weight: 3, expire: 2d, suppression: {answer: drop, scope: all}, others: {envelope: hold, from: rewrite, address: \"Web.Site@Shop.Example\"}}]\n"
    "hygiene: {date: false, message_id: false, return_path: false, bcc: false, duplicates: first, malformed: refuse, eight_bit: refuse}\n"
    "dkim: [{domain: shop.example, selector: r1, key: keys/shop.pem}]\nsigning: {fallback: shop.example}\n"
    "sources: [{name: a, ip: 192.0.2.10, via: \"socks5://u:p%25w@192.0.2.1:1080\", ehlo: A.relay.example.net, weight: 3, connections: 7, rate: 8/h, warmup: {plan: standard, since: 2026-11-24}}]\n"
    "plans: [{name: own, adapt: false, start: 5, growth: 6, explore: 7, ceiling: 8, idle: 9, days: [1, 2],\n"
    "  groups: [{providers: [p, q], start: 2, growth: 3, explore: 4, days: [3]}]}]\nwarmup: {zone: \"-05:30\", late: 6h}\n"
    "pools: [{name: main, sources: [a], overflow: wait, overflow_after: 2h}]\n"
    "providers: [{name: p, domains: [p.example], mx: [mx.p.example], connections: 2, messages: 3, rate: 90/h, total_connections: 4, total_rate: 9/m, tls: verified, retry: {first: 2m, max: 3h}, closed: ended, basis: guess}]\n"
    "replies: rules.yaml\n"
    "lanes: {connections: 4, messages: 5, rate: 2/s}\nslow_start: {idle: 20m}\n"
    "routes: [{domain: \"*\", to: \"[2001:db8::5]:26\", tls: none}]\nbounce: {pool: main}\ndead: {keep: 3d, size: 2G}\n"
    "dns: {forward: [127.0.0.1@5353, \"::1\"], anchors: [root.key], validate: require, timeout: 7s}\n"
    "delivery: {port: 2526, tls: verified, ca: ca.pem, timeouts: {connect: 1s, greeting: 2s, helo: 3s, mail: 4s, rcpt: 5s, data: 6s,\n"
    "  block: 7s, dot: 8s, quit: 9s}, drain: 10s, keepalive: 11s, park: 12s, connections: 12, addresses: 13, refuse_networks: [10.0.0.0/8],\n"
    "  reply_lines: 14, prefer_ipv6: true, chunking: false}\n"
    "mta_sts: {enabled: true, port: 8443, ca: ca.pem}\n"
    "tls_rpt: {contact: tls@relay.example.net, organization: Relay, enabled: false, delay: 1h}\n"
    "retry: {first: 1m, max: 2h, expire: 3d, expire_transactional: 4h, expire_bulk: 6d, warn: 5h, warnings: false}\n"
    "suppression: {bounces: 3, within: 4d, keep: 5d, answer: drop, scope: all}\n"
    "blocklists: {zones: [bl.example], every: 6m, forward: [127.0.0.1@54], action: close}\n"
    "alerts: {mail: a@b.example, webhook: \"https://hooks.example/x\", every: 7h, gather: 8s, retry: 9s, timeout: 10s, pool: main}\n";

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
		count++;
	return count;
}

/* The same text without what stands behind "  # ". */
static char *without_origins(const char *text)
{
	char *out = xcalloc(strlen(text) + 1, 1), *end = out;

	for (const char *p = text; *p; p += *p == '\n') {
		size_t len = strcspn(p, "\n");
		const char *mark = memmem(p, len, "  # ", 4), *next;

		while (mark && (next = memmem(mark + 1, (size_t)(p + len - mark - 1), "  # ", 4)))
			mark = next;
		end = mempcpy(end, p, mark ? (size_t)(mark - p) : len);
		*end++ = '\n';
		p += len;
	}
	return out;
}

static void check_round(const char *label, const char *text)
{
	struct conf *first = load_good(text), *second;
	char *dump = dump_text(first), *again, *plain, *plain_again;

	second = load_good(dump);
	again = dump_text(second);
	plain = without_origins(dump);
	plain_again = without_origins(again);
	if (strcmp(plain, plain_again) != 0)
		fail_msg("%s:\n%s\nbecame\n%s", label, plain, plain_again);
	free(plain);
	free(plain_again);
	free(dump);
	free(again);
	conf_unref(&first);
	conf_unref(&second);
}

static void a_dump_loaded_again_gives_the_same_dump(void **state)
{
	static const struct { const char *label, *text; } rows[] = {
		{ "every setting", everything },
		{ "as little as possible", TEST_HEAD },
		{ "implied pool of own sources", TEST_HEAD "sources: [{name: b, ip: 127.0.0.2}, {name: a, ip: \"::1\"}]\n" },
		{ "empty lists that mean something", TEST_HEAD "dns: {anchors: []}\ndelivery: {refuse_networks: []}\n" },
		{ "a shipped provider switched off", TEST_HEAD "providers: [{name: gmail, domains: [], mx: []}]\n" },
		{ "a domain taken from a shipped provider", TEST_HEAD "providers: [{name: own, domains: [gmail.com]}]\n" },
		{ "tenants and logins", TEST_HEAD "tenants: [{name: a, from: [10.0.0.0/8]}, {name: b, quota: {day: 4}, logins: "
		  "[{user: \"\\u00e9 x\", hash: \"" TEST_HASH "\"}, {user: z, hash: \"" TEST_HASH "\"}]}]\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_round(rows[i].label, rows[i].text);
}

static void every_setting_of_the_schema_is_in_the_dump(void **state)
{
	struct conf *conf = load_good(everything);
	char *dump = dump_text(conf);
	size_t want = 0;

	(void)state;
	for (size_t i = 0; i < schema_row_count; i++)
		want += schema_rows[i].kind != SCHEMA_LISTOF;
	assert_int_equal(count_of(dump, "  # /t/t.yaml:"), want);
	free(dump);
	conf_unref(&conf);
}

static void each_value_names_its_origin(void **state)
{
	static const char *const lines[] = {
		"\nhostname: relay.example.net  # /t/t.yaml:1\n",
		"\n  message: 50M  # default\n",
		"\n  - name: gmail  # /t/t.yaml:4\n",
		"\n    connections: 2  # /t/t.yaml:4\n",
		"\n    messages: 50  # shipped\n",
		"\n  timeouts:\n    connect: 30s  # default\n",
		"\n    pool: default  # default\n",
	};
	struct conf *conf = load_good(TEST_HEAD "providers: [{name: gmail, connections: 2}]\n"
	    "tenants: [{name: t, from: [10.0.0.0/8]}]\n");
	char *dump = dump_text(conf), *text = xasprintf("\n%s", dump);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("no line%sin%s", lines[i], text);
	free(text);
	free(dump);
	conf_unref(&conf);
}

static void relative_paths_start_from_the_folder_of_the_file(void **state)
{
	struct conf *conf = load_good(everything);

	(void)state;
	assert_string_equal(conf->tls_cert, "/t/relay.pem");
	assert_string_equal(conf->tls_key, "/keys/relay.key");
	assert_string_equal(conf->dkim[0].key, "/t/keys/shop.pem");
	assert_string_equal(conf->state, "/t/state");
	conf_unref(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dump_loaded_again_gives_the_same_dump),
		cmocka_unit_test(every_setting_of_the_schema_is_in_the_dump),
		cmocka_unit_test(each_value_names_its_origin),
		cmocka_unit_test(relative_paths_start_from_the_folder_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
