/* queue/msg_id.c - the text form of message ids: 13 characters of Crockford's base 32, which sort as the numbers do. */
#include <string.h>

#include "queue/queue.h"

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

char *msg_id_format(msg_id id, char out[MSG_ID_TEXT])
{
	out[MSG_ID_TEXT - 1] = '\0';
	for (size_t i = MSG_ID_TEXT - 1; i-- > 0; id >>= 5)
		out[i] = digits[id & 31];
	return out;
}

/* Value of a digit, 32 for anything else. Upper case is taken too: ids are read aloud and typed. */
static unsigned digit_value(char c)
{
	const char *at;

	if (c >= 'A' && c <= 'Z')
		c = (char)(c - 'A' + 'a');
	at = c ? strchr(digits, c) : NULL;
	return at ? (unsigned)(at - digits) : 32;
}

bool msg_id_parse(const char *text, size_t len, msg_id *out)
{
	msg_id id = 0;

	/* 13 digits hold 65 bits: the first one must not reach the last. */
	if (len != MSG_ID_TEXT - 1 || digit_value(text[0]) > 15)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned v = digit_value(text[i]);

		if (v > 31)
			return false;
		id = id << 5 | v;
	}
	*out = id;
	return id != 0;
}
