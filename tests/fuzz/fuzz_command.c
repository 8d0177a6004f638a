/* tests/fuzz/fuzz_command.c - fuzz target for relay/wire/command.h: any line is a command or a fault with a reply. */
#include <string.h>

#include "relay/wire/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_span(const char *line, size_t size, const char *part, size_t len)
{
	must(part >= line && part + len <= line + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	struct command command;
	struct command_fault fault = { 0 };

	if (command_parse(line, size, &command, &fault) != OK) {
		must(fault.code >= 500 && fault.code <= 559 && fault.enhanced != NULL && fault.enhanced[0] == '5');
		must(strpbrk(fault.text, "\r\n") == NULL && fault.text[0] != '\0');
		return 0;
	}
	must(command.verb > VERB_UNKNOWN && command.verb < VERBS);
	check_span(line, size, command.arg, command.arg_len);
	if (command.initial != NULL)
		check_span(line, size, command.initial, command.initial_len);
	must(memchr(line, '\r', size) == NULL && memchr(line, '\n', size) == NULL && memchr(line, '\0', size) == NULL);
	must(command.verb != VERB_RCPT || command.path.text[0] != '\0');
	must(command.hold_for == 0 || command.hold_until == 0);
	must(command.notify <= 15 && (!(command.notify & TELL_NEVER) || command.notify == TELL_NEVER));
	must(command.verb != VERB_MAIL || command.smtputf8 || !command.path.utf8);
	return 0;
}
