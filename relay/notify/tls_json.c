/* relay/notify/tls_json.c - figures about TLS as JSON: in the store, in a report, for the operator. */
#include "relay/notify/tls_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define VERSION    1
#define GZIP_BITS  (15 + 16) /* zlib's largest window, gzip's header */
#define JSON_FORM  (JSON_COMPACT | JSON_PRESERVE_ORDER)

static const char *const types[] = { [TLS_POLICY_NONE] = "no-policy-found", [TLS_POLICY_STS] = "sts", [TLS_POLICY_TLSA] = "tlsa" };

/* What is no text in UTF-8 (value NULL) is left out. */
static void set(json_t *object, const char *key, json_t *value)
{
	must(json_object_set_new(object, key, value ? value : json_null()) == 0);
}

/* --- writing ------------------------------------------------------------------------------------------------------------------- */

static json_t *lines_json(const char *lines)
{
	json_t *list = json_array();

	for (const char *at = lines; *at;) {
		size_t len = strcspn(at, "\n");

		must(json_array_append_new(list, json_stringn(at, len)) == 0);
		at += len + (at[len] == '\n');
	}
	return list;
}

static void set_ip(json_t *object, const char *key, const struct ip_addr *addr)
{
	char text[IP_TEXT];

	if (addr->family)
		set(object, key, json_string(ip_format(addr, text)));
}

static json_t *failure_json(const struct tls_failure *failure)
{
	const struct tls_note *note = &failure->note;
	json_t *o = json_object();

	set(o, "result-type", json_string(tls_result_name(note->result)));
	set_ip(o, "sending-mta-ip", &note->local);
	if (note->host[0])
		set(o, "receiving-mx-hostname", json_string(note->host));
	set_ip(o, "receiving-ip", &note->remote);
	set(o, "failed-session-count", json_integer((json_int_t)failure->count));
	if (note->why[0])
		set(o, "failure-reason-code", json_string(note->why));
	return o;
}

/* RFC 8460 section 1.1: of DANE the TLSA base domain, else that of the recipient. */
static json_t *policy_domain(const struct tls_figures *figures, const struct tls_policy *policy)
{
	size_t base = policy->type == TLS_POLICY_TLSA ? strcspn(policy->hosts, "\n") : 0;

	return base > 0 ? json_stringn(policy->hosts, base) : json_string(figures->domain);
}

static json_t *policy_json(const struct tls_figures *figures, const struct tls_policy *policy)
{
	json_t *o = json_object(), *about = json_object(), *summary = json_object(), *failures = json_array();

	set(about, "policy-type", json_string(types[policy->type]));
	if (policy->text[0])
		set(about, "policy-string", lines_json(policy->text));
	set(about, "policy-domain", policy_domain(figures, policy));
	if (policy->hosts[0])
		set(about, "mx-host", lines_json(policy->hosts));
	set(summary, "total-successful-session-count", json_integer((json_int_t)policy->good));
	set(summary, "total-failure-session-count", json_integer((json_int_t)policy->bad));
	for (size_t i = 0; i < policy->failure_count; i++)
		must(json_array_append_new(failures, failure_json(&policy->failures[i])) == 0);
	set(o, "policy", about);
	set(o, "summary", summary);
	if (policy->failure_count > 0)
		set(o, "failure-details", failures);
	else
		json_decref(failures);
	return o;
}

json_t *tls_json_policies(const struct tls_figures *figures)
{
	json_t *list = json_array();

	for (size_t i = 0; i < figures->policy_count; i++)
		must(json_array_append_new(list, policy_json(figures, figures->policies[i])) == 0);
	return list;
}

static enum err dump(json_t *value, struct buf *out)
{
	char *text = json_dumps(value, JSON_FORM);
	enum err err;

	must(text);
	json_decref(value);
	err = buf_add_str(out, text);
	free(text);
	return err;
}

static json_t *told_json(const struct tls_figures *figures)
{
	json_t *list = json_array();

	for (size_t i = 0; i < figures->told_count; i++)
		must(json_array_append_new(list, json_string(figures->told[i])) == 0);
	return list;
}

enum err tls_figures_write(const struct tls_figures *figures, struct buf *out)
{
	json_t *o = json_object();

	set(o, "v", json_integer(VERSION));
	set(o, "start", json_integer(figures->start));
	set(o, "end", json_integer(figures->end));
	if (figures->tried > 0) {
		set(o, "tried", json_integer(figures->tried));
		set(o, "told", told_json(figures));
	}
	set(o, "policies", tls_json_policies(figures));
	return dump(o, out);
}

/* --- reading --------------------------------------------------------------------------------------------------------------------- */

static bool get_count(const json_t *object, const char *key, uint64_t *out)
{
	const json_t *value = json_object_get(object, key);

	*out = (uint64_t)json_integer_value(value);
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

/* Lines, each with LF; malloc'ed. NULL: not a list of texts. */
static char *get_lines(const json_t *list)
{
	struct buf out;
	char *text;

	buf_init(&out, 2 * TLS_LINES_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *line = json_string_value(json_array_get(list, i));

		if (!line || buf_printf(&out, "%s\n", line) != OK) {
			buf_fini(&out);
			return NULL;
		}
	}
	text = xstrdup(buf_str(&out));
	buf_fini(&out);
	return text;
}

static bool read_failure(struct tls_policy *policy, const json_t *o)
{
	const char *result = json_string_value(json_object_get(o, "result-type"));
	const char *host = json_string_value(json_object_get(o, "receiving-mx-hostname"));
	const char *why = json_string_value(json_object_get(o, "failure-reason-code"));
	const char *local = json_string_value(json_object_get(o, "sending-mta-ip"));
	const char *remote = json_string_value(json_object_get(o, "receiving-ip"));
	struct tls_note note = { 0 };
	uint64_t count;

	if (!result || !tls_result_find(result, &note.result) || !get_count(o, "failed-session-count", &count))
		return false;
	(void)snprintf(note.host, sizeof(note.host), "%s", host ? host : "");
	(void)snprintf(note.why, sizeof(note.why), "%s", why ? why : "");
	if ((local && !ip_parse(local, &note.local)) || (remote && !ip_parse(remote, &note.remote)))
		return false;
	tls_policy_fail(policy, &note, count);
	return true;
}

static bool find_type(const char *name, enum tls_policy_type *out)
{
	for (enum tls_policy_type type = TLS_POLICY_NONE; name && type <= TLS_POLICY_TLSA; type++) {
		if (strcmp(types[type], name) != 0)
			continue;
		*out = type;
		return true;
	}
	return false;
}

static bool read_policy(struct tls_figures *figures, const json_t *o)
{
	const json_t *about = json_object_get(o, "policy"), *summary = json_object_get(o, "summary");
	const json_t *failures = json_object_get(o, "failure-details");
	char *text = get_lines(json_object_get(about, "policy-string")), *hosts = get_lines(json_object_get(about, "mx-host"));
	enum tls_policy_type type;
	bool good = text && hosts && find_type(json_string_value(json_object_get(about, "policy-type")), &type);
	struct tls_policy *policy = good ? tls_figures_policy(figures, type, text, hosts) : NULL;

	free(text);
	free(hosts);
	good = good && get_count(summary, "total-successful-session-count", &policy->good) &&
	    get_count(summary, "total-failure-session-count", &policy->bad);
	for (size_t i = 0; good && i < json_array_size(failures); i++)
		good = read_failure(policy, json_array_get(failures, i));
	return good;
}

bool tls_json_read(struct tls_figures *figures, const json_t *policies)
{
	if (!json_is_array(policies) || json_array_size(policies) > TLS_POLICIES_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(policies); i++)
		if (!read_policy(figures, json_array_get(policies, i)))
			return false;
	return true;
}

static void read_told(struct tls_figures *figures, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *place = json_string_value(json_array_get(list, i));

		if (place)
			tls_figures_tell(figures, place);
	}
}

struct tls_figures *tls_figures_read(const char *domain, const void *data, size_t len)
{
	json_t *o = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
	uint64_t version, start, end;
	struct tls_figures *figures;

	if (!get_count(o, "v", &version) || version != VERSION || !get_count(o, "start", &start) || !get_count(o, "end", &end)) {
		json_decref(o);
		return NULL;
	}
	figures = tls_figures_create(domain, (wall_ms)start);
	figures->end = (wall_ms)end;
	figures->tried = (wall_ms)json_integer_value(json_object_get(o, "tried")); /* absent in older records */
	read_told(figures, json_object_get(o, "told"));
	if (!tls_json_read(figures, json_object_get(o, "policies")))
		tls_figures_free(&figures);
	json_decref(o);
	return figures;
}

/* --- the report -------------------------------------------------------------------------------------------------------------------- */

/* RFC 3339 without a fraction, as the RFC's example has it. */
static json_t *time_json(wall_ms when)
{
	char text[CLOCK_TEXT], *dot = strchr(clock_rfc3339(when, text), '.');

	if (dot)
		memcpy(dot, "Z", 2);
	return json_string(text);
}

char *tls_report_id(const struct tls_figures *figures, const char *hostname, char out[TLS_REPORT_ID])
{
	(void)snprintf(out, TLS_REPORT_ID, "%lld.%lld.%s@%s", (long long)(figures->start / 1000), (long long)(figures->end / 1000),
	    figures->domain, hostname);
	return out;
}

static enum err report_json(const struct tls_figures *figures, const struct tls_sender *sender, struct buf *out)
{
	json_t *o = json_object(), *range = json_object();
	char id[TLS_REPORT_ID];

	set(o, "organization-name", json_string(sender->organization));
	set(range, "start-datetime", time_json(figures->start));
	set(range, "end-datetime", time_json(figures->end - 1));
	set(o, "date-range", range);
	set(o, "contact-info", json_string(sender->contact));
	set(o, "report-id", json_string(tls_report_id(figures, sender->hostname, id)));
	set(o, "policies", tls_json_policies(figures));
	return dump(o, out);
}

enum err tls_report_gzip(const struct tls_figures *figures, const struct tls_sender *sender, struct buf *out)
{
	z_stream z = { 0 };
	struct buf text;
	enum err err;
	void *room;

	buf_init(&text, 1 << 20);
	err = report_json(figures, sender, &text);
	must(deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	z.avail_out = (uInt)deflateBound(&z, (uLong)text.len);
	room = err == OK ? buf_extend(out, z.avail_out) : NULL;
	if (room) {
		z.next_in = (Bytef *)text.data;
		z.avail_in = (uInt)text.len;
		z.next_out = room;
		must(deflate(&z, Z_FINISH) == Z_STREAM_END);
		out->len -= z.avail_out;
	} else {
		err = ERR_LIMIT;
	}
	deflateEnd(&z);
	buf_fini(&text);
	return err;
}
