/* conf/fault.c - gather everything that is wrong with a configuration, to be shown in the order of the file. */
#include "conf/fault.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define QUOTED_MAX 64 /* bytes of the operator's text that a message repeats */

__attribute__((format(printf, 4, 0)))
static void add(struct fault_list *list, struct place at, bool warning, const char *format, va_list args)
{
	struct fault *fault;
	char text[2048];

	if (!warning)
		list->errors++;
	if (list->count >= FAULT_MAX)
		return;
	if (list->count == list->cap) {
		list->cap = list->cap ? 2 * list->cap : 8;
		list->items = xrealloc(list->items, list->cap * sizeof(*list->items));
	}
	vsnprintf(text, sizeof(text), format, args);
	fault = &list->items[list->count];
	*fault = (struct fault){ .at = at, .warning = warning, .order = list->count, .text = xstrdup(text) };
	list->count++;
}

void fault_error(struct fault_list *list, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(list, at, false, format, args);
	va_end(args);
}

void fault_warn(struct fault_list *list, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(list, at, true, format, args);
	va_end(args);
}

const char *fault_quote(const char *text, char out[FAULT_QUOTE])
{
	size_t len = strlen(text), used = 0;
	bool cut = len > QUOTED_MAX;

	if (cut)
		len = QUOTED_MAX;
	/* Not in the middle of a UTF-8 sequence. */
	while (cut && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	out[used++] = '"';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		out[used++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	snprintf(out + used, FAULT_QUOTE - used, "%s\"", cut ? "..." : "");
	return out;
}

static int by_place(const void *left, const void *right)
{
	const struct fault *a = left, *b = right;

	if (a->at.line != b->at.line)
		return a->at.line < b->at.line ? -1 : 1;
	if (a->at.column != b->at.column)
		return a->at.column < b->at.column ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void append_line(char **text, size_t *count, const struct fault *fault)
{
	char where[32] = "";
	char *old = *text;

	if (fault->at.line > 0)
		snprintf(where, sizeof(where), "%u:%u:", fault->at.line, fault->at.column);
	*text = xasprintf("%s%s:%s %s\n", old ? old : "", fault->at.file, where, fault->text);
	free(old);
	(*count)++;
}

/* An error that FAULT_MAX left no room for is still counted, so that the load fails. */
static void append_overflow(const struct fault_list *list, size_t shown, struct conf_faults *out)
{
	char *old = out->text;

	if (list->errors <= shown)
		return;
	out->text = xasprintf("%s... and %zu more\n", old ? old : "", list->errors - shown);
	out->count += list->errors - shown;
	free(old);
}

void fault_export(struct fault_list *list, struct conf_faults *out)
{
	size_t shown = 0;

	if (list->count > 0)
		qsort(list->items, list->count, sizeof(*list->items), by_place);
	for (size_t i = 0; i < list->count; i++) {
		const struct fault *fault = &list->items[i];

		if (fault->warning) {
			append_line(&out->warnings, &out->warning_count, fault);
		} else {
			append_line(&out->text, &out->count, fault);
			shown++;
		}
		free(fault->text);
	}
	append_overflow(list, shown, out);
	if (!out->text)
		out->text = xstrdup("");
	if (!out->warnings)
		out->warnings = xstrdup("");
	free(list->items);
	*list = (struct fault_list){ 0 };
}

void conf_faults_free(struct conf_faults *faults)
{
	free(faults->text);
	free(faults->warnings);
	*faults = (struct conf_faults){ 0 };
}
