/* base/ascii.c - case and digits without the locale. */
#include "base/ascii.h"

void ascii_lower_str(char *text)
{
	for (; *text != '\0'; text++)
		*text = ascii_lower(*text);
}

bool ascii_equal(const char *a, const char *b)
{
	for (; *a != '\0' && ascii_lower(*a) == ascii_lower(*b); a++)
		b++;
	return *a == *b;
}

bool ascii_equal_n(const char *a, size_t a_len, const char *b)
{
	for (size_t i = 0; i < a_len; i++)
		if (b[i] == '\0' || ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return b[a_len] == '\0';
}
