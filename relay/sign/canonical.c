/* relay/sign/canonical.c - the relaxed canonical forms of DKIM (RFC 6376 sections 3.4.2 and 3.4.4). */
#include "relay/sign/canonical.h"

#include <string.h>

#include "base/ascii.h"
#include "base/err.h"

/* Bytes that may not stay as they are. */
static const bool SPECIAL[256] = { [' '] = true, ['\t'] = true, ['\r'] = true };

static bool is_plain(char c)
{
	return !SPECIAL[(unsigned char)c];
}

/* --- the way out --------------------------------------------------------------------------------------------------------- */

static void stage_flush(struct canonical_stage *stage)
{
	if (stage->len > 0)
		stage->sink(stage->arg, stage->data, stage->len);
	stage->len = 0;
}

static void stage_add(struct canonical_stage *stage, const char *data, size_t len)
{
	if (len > CANONICAL_STAGE - stage->len)
		stage_flush(stage);
	if (len >= CANONICAL_STAGE) {
		stage->sink(stage->arg, data, len);
		return;
	}
	memcpy(stage->data + stage->len, data, len);
	stage->len += len;
}

/* --- body ---------------------------------------------------------------------------------------------------------------- */

void canonical_body_init(struct canonical_body *body, canonical_sink sink, void *arg)
{
	body->stage.sink = sink;
	body->stage.arg = arg;
	body->stage.len = 0;
	body->line_ends = 0;
	body->space = body->cr = body->some = false;
}

/* A byte follows that keeps what was put off. */
static void tell_pending(struct canonical_body *body)
{
	for (; body->line_ends > 0; body->line_ends--)
		stage_add(&body->stage, "\r\n", 2);
	if (body->space)
		stage_add(&body->stage, " ", 1);
	body->space = false;
	body->some = true;
}

/* The end of the stretch from `p`, a plain byte, that is canonical already: lone spaces inside a line and single line ends included. */
static const char *skip_canonical(const char *p, const char *end)
{
	for (;;) {
		while (p < end && is_plain(*p))
			p++;
		if (end - p >= 2 && *p == ' ' && is_plain(p[1]))
			p += 2;
		else if (end - p >= 3 && p[0] == '\r' && p[1] == '\n' && is_plain(p[2]))
			p += 3;
		else
			return p;
	}
}

/* `p` follows a CR. */
static const char *after_cr(struct canonical_body *body, const char *p)
{
	body->cr = false;
	if (*p == '\n') {
		body->space = false;
		body->line_ends++;
		return p + 1;
	}
	tell_pending(body);
	stage_add(&body->stage, "\r", 1);
	return p;
}

void canonical_body_feed(struct canonical_body *body, const char *data, size_t len)
{
	const char *end = data + len;

	for (const char *p = data, *run; p < end;) {
		if (body->cr) {
			p = after_cr(body, p);
		} else if (*p == '\r') {
			body->cr = true;
			p++;
		} else if (!is_plain(*p)) {
			body->space = true;
			p++;
		} else {
			run = p;
			p = skip_canonical(p, end);
			tell_pending(body);
			stage_add(&body->stage, run, (size_t)(p - run));
		}
	}
}

void canonical_body_end(struct canonical_body *body)
{
	if (body->cr) {
		body->cr = false;
		tell_pending(body);
		stage_add(&body->stage, "\r", 1);
	}
	if (body->some)
		stage_add(&body->stage, "\r\n", 2);
	stage_flush(&body->stage);
}

/* --- header -------------------------------------------------------------------------------------------------------------- */

static void field_name(struct canonical_stage *stage, const char *name, size_t len)
{
	while (len > 0 && (name[len - 1] == ' ' || name[len - 1] == '\t'))
		len--;
	for (size_t i = 0; i < len; i++) {
		char lower = ascii_lower(name[i]);

		stage_add(stage, &lower, 1);
	}
	stage_add(stage, ":", 1);
}

/* Line ends inside a field only fold it. */
static void field_value(struct canonical_stage *stage, const char *p, const char *end)
{
	bool space = false, some = false;

	while (p < end) {
		const char *run = p;

		while (p < end && is_plain(*p) && *p != '\n')
			p++;
		if (p == run) {
			space = space || *p == ' ' || *p == '\t';
			p++;
			continue;
		}
		if (space && some)
			stage_add(stage, " ", 1);
		stage_add(stage, run, (size_t)(p - run));
		space = false;
		some = true;
	}
}

void canonical_field(const char *field, size_t len, bool crlf, canonical_sink sink, void *arg)
{
	struct canonical_stage stage;
	const char *colon = memchr(field, ':', len);

	must(colon != NULL);
	stage.sink = sink;
	stage.arg = arg;
	stage.len = 0;
	field_name(&stage, field, (size_t)(colon - field));
	field_value(&stage, colon + 1, field + len);
	if (crlf)
		stage_add(&stage, "\r\n", 2);
	stage_flush(&stage);
}
