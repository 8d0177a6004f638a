/* relay/deliver/sts_policy.c - MTA-STS as text: the TXT record, the policy, its patterns (RFC 8461 section 3). */
#include "relay/deliver/sts_policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"

#define NAME_MAX_CHARS 32 /* of a field's name */
#define LABEL_MAX      63
#define DOMAIN_CHARS   253

const char *sts_mode_name(enum sts_mode mode)
{
	static const char *const names[] = { [STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce" };

	return names[mode];
}

/* A part of a text. */
struct piece {
	const char *at;
	size_t len;
};

static bool is(struct piece piece, const char *text)
{
	return piece.len == strlen(text) && memcmp(piece.at, text, piece.len) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct piece trim(struct piece piece)
{
	while (piece.len > 0 && is_blank(piece.at[0])) {
		piece.at++;
		piece.len--;
	}
	while (piece.len > 0 && is_blank(piece.at[piece.len - 1]))
		piece.len--;
	return piece;
}

/* Up to `stop`, which is dropped; `rest` becomes what is behind it. */
static struct piece cut(struct piece *rest, char stop)
{
	const char *found = rest->len > 0 ? memchr(rest->at, stop, rest->len) : NULL;
	struct piece piece = { rest->at, found ? (size_t)(found - rest->at) : rest->len };
	size_t used = piece.len + (found != NULL);

	rest->at += used;
	rest->len -= used;
	return piece;
}

static bool is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* sts-ext-name, which the names of known fields are of too. */
static bool is_name(struct piece name)
{
	if (name.len == 0 || name.len > NAME_MAX_CHARS || !is_alnum(name.at[0]))
		return false;
	for (size_t i = 1; i < name.len; i++)
		if (!is_alnum(name.at[i]) && !strchr("_-.", name.at[i]))
			return false;
	return true;
}

/* --- the TXT record ---------------------------------------------------------------------------------------------------------- */

static bool is_id(struct piece value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!is_alnum(value.at[i]))
			return false;
	return value.len > 0 && value.len <= STS_ID_MAX;
}

/* sts-ext-value */
static bool is_value(struct piece value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] <= ' ' || value.at[i] >= 0x7f || value.at[i] == '=')
			return false;
	return value.len > 0;
}

/* What stands behind the version: at least one field, an id among them; the last ";" may stand alone. */
static bool read_fields(struct piece rest, char id_out[STS_ID_MAX + 1])
{
	bool found = false;

	while (rest.len > 0) {
		struct piece value = trim(cut(&rest, ';')), name;

		if (value.len == 0 && rest.len == 0)
			break;
		name = cut(&value, '=');
		if (!is_name(name))
			return false;
		if (!is(name, "id")) {
			if (!is_value(value))
				return false;
			continue;
		}
		if (!is_id(value) || found)
			return false;
		memcpy(id_out, value.at, value.len);
		id_out[value.len] = '\0';
		found = true;
	}
	return found;
}

bool sts_record_id(char *const *txt, size_t count, char id_out[STS_ID_MAX + 1])
{
	static const char version[] = "v=STSv1";
	struct piece rest = { NULL, 0 };
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		struct piece record = { txt[i], strlen(txt[i]) };
		struct piece first = cut(&record, ';');

		if (!is((struct piece){ first.at, trim(first).len }, version) || !memchr(txt[i], ';', strlen(txt[i])))
			continue;
		rest = record;
		found++;
	}
	return found == 1 && read_fields(rest, id_out);
}

/* --- the policy ---------------------------------------------------------------------------------------------------------------- */

/* A host name in letters, digits, hyphens and dots. */
static bool is_domain(const char *text, size_t len)
{
	size_t label = 0;

	if (len == 0 || len > DOMAIN_CHARS)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.') {
			if (label == 0 || text[i - 1] == '-')
				return false;
			label = 0;
		} else {
			if ((!is_alnum(text[i]) && text[i] != '_' && (text[i] != '-' || label == 0)) || ++label > LABEL_MAX)
				return false;
		}
	}
	return label > 0 && text[len - 1] != '-';
}

/* What has been read so far. */
struct reading {
	struct sts_policy *policy;
	bool has_version, has_mode, has_age;
	size_t mx_bytes;
};

static enum err take_mode(struct reading *r, struct piece value, struct err_detail *why)
{
	for (enum sts_mode mode = STS_NONE; mode <= STS_ENFORCE; mode++) {
		if (!is(value, sts_mode_name(mode)))
			continue;
		r->policy->mode = mode;
		r->has_mode = true;
		return OK;
	}
	return err_set(why, ERR_INVALID, "its mode is none of enforce, testing, none");
}

static enum err take_age(struct reading *r, struct piece value, struct err_detail *why)
{
	uint64_t age = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (!ascii_is_digit(value.at[i]))
			return err_set(why, ERR_INVALID, "its max_age is no number");
		age = 10 * age + (uint64_t)(value.at[i] - '0');
	}
	if (value.len == 0 || value.len > 10)
		return err_set(why, ERR_INVALID, "its max_age is no number of one to ten digits");
	r->policy->max_age = age > STS_AGE_MAX ? STS_AGE_MAX : (uint32_t)age;
	r->has_age = true;
	return OK;
}

static enum err take_mx(struct reading *r, struct piece value, struct err_detail *why)
{
	struct sts_policy *policy = r->policy;
	bool wild = value.len > 2 && value.at[0] == '*' && value.at[1] == '.';
	char *pattern;

	if (!is_domain(value.at + 2 * wild, value.len - 2 * wild))
		return err_set(why, ERR_INVALID, "an mx of it is no host name");
	r->mx_bytes += value.len + 1;
	if (policy->mx_count == STS_MX_MAX || r->mx_bytes > STS_MX_TEXT_MAX)
		return err_set(why, ERR_INVALID, "it names more than %d hosts", STS_MX_MAX);
	pattern = xstrndup(value.at, value.len);
	ascii_lower_str(pattern);
	policy->mx = xrealloc(policy->mx, (policy->mx_count + 1) * sizeof(policy->mx[0]));
	policy->mx[policy->mx_count++] = pattern;
	return OK;
}

static enum err take_extension(struct piece value, struct err_detail *why)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.at[i] < ' ' || value.at[i] == 0x7f)
			return err_set(why, ERR_INVALID, "it has control characters");
	return OK;
}

/* Of a field that comes twice the first one counts, mx apart. */
static enum err take_field(struct reading *r, struct piece name, struct piece value, struct err_detail *why)
{
	if (is(name, "version")) {
		if (!r->has_version && !is(value, "STSv1"))
			return err_set(why, ERR_INVALID, "its version is not STSv1");
		r->has_version = true;
		return OK;
	}
	if (is(name, "mode"))
		return r->has_mode ? OK : take_mode(r, value, why);
	if (is(name, "max_age"))
		return r->has_age ? OK : take_age(r, value, why);
	return is(name, "mx") ? take_mx(r, value, why) : take_extension(value, why);
}

static enum err take_line(struct reading *r, struct piece line, struct err_detail *why)
{
	struct piece name;

	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	line.len = trim((struct piece){ line.at, line.len }).len == 0 ? 0 : line.len;
	if (line.len == 0)
		return OK;
	if (!memchr(line.at, ':', line.len))
		return err_set(why, ERR_INVALID, "a line of it is no field");
	name = cut(&line, ':');
	if (!is_name(name))
		return err_set(why, ERR_INVALID, "a line of it is no field");
	return take_field(r, name, trim(line), why);
}

static enum err check_complete(const struct reading *r, struct err_detail *why)
{
	if (!r->has_version || !r->has_mode || !r->has_age)
		return err_set(why, ERR_INVALID, "it has no %s", !r->has_version ? "version" : !r->has_mode ? "mode" : "max_age");
	if (r->policy->mx_count == 0 && r->policy->mode != STS_NONE)
		return err_set(why, ERR_INVALID, "it has no mx");
	return OK;
}

enum err sts_policy_parse(const char *text, size_t len, struct sts_policy *out, struct err_detail *why)
{
	struct reading r = { .policy = out };
	struct piece rest = { text, len };
	enum err err = OK;

	*out = (struct sts_policy){ .mode = STS_NONE };
	if (len > STS_TEXT_MAX)
		err = err_set(why, ERR_INVALID, "it is longer than %d bytes", STS_TEXT_MAX);
	while (err == OK && rest.len > 0)
		err = take_line(&r, cut(&rest, '\n'), why);
	if (err == OK)
		err = check_complete(&r, why);
	if (err != OK)
		sts_policy_fini(out);
	return err;
}

void sts_policy_fini(struct sts_policy *policy)
{
	for (size_t i = 0; i < policy->mx_count; i++)
		free(policy->mx[i]);
	free(policy->mx);
	*policy = (struct sts_policy){ .mode = STS_NONE };
}

bool sts_type_is_right(const char *type)
{
	size_t len = strcspn(type, ";");

	return ascii_equal_n(type, trim((struct piece){ type, len }).len, "text/plain");
}

static bool matches(const char *pattern, const char *host)
{
	const char *dot;

	if (pattern[0] != '*')
		return ascii_equal(pattern, host);
	dot = strchr(host, '.');
	return dot && dot > host && ascii_equal(pattern + 1, dot);
}

bool sts_policy_allows(const struct sts_policy *policy, const char *host)
{
	for (size_t i = 0; i < policy->mx_count; i++)
		if (matches(policy->mx[i], host))
			return true;
	return false;
}
