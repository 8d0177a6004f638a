/* relay/relayq/hash.c - the verb hash: a password into the string of logins[].hash. */
#include "relay/relayq/hash.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "relay/net/scram.h"

struct secret {
	char text[CRYPT_MAX_PASSPHRASE_SIZE + 2];
	size_t len;
};

/* False: no line, or one that is too long or holds a NUL. */
static bool read_line(FILE *in, struct secret *secret)
{
	int c;

	secret->len = 0;
	while ((c = getc(in)) != EOF && c != '\n') {
		if (c == '\0' || secret->len + 1 >= CRYPT_MAX_PASSPHRASE_SIZE)
			return false;
		secret->text[secret->len++] = (char)c;
	}
	if (secret->len > 0 && secret->text[secret->len - 1] == '\r')
		secret->len--;
	secret->text[secret->len] = '\0';
	return c != EOF || secret->len > 0;
}

static bool ask(FILE *in, FILE *err, const char *prompt, struct secret *secret)
{
	struct termios before, quiet;
	bool is_terminal = isatty(fileno(in)) && tcgetattr(fileno(in), &before) == 0;
	bool fine;

	if (!is_terminal)
		return read_line(in, secret);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)fputs(prompt, err);
	(void)fflush(err);
	(void)tcsetattr(fileno(in), TCSAFLUSH, &quiet);
	fine = read_line(in, secret);
	(void)tcsetattr(fileno(in), TCSAFLUSH, &before);
	(void)fputc('\n', err);
	return fine;
}

static enum ops_exit refuse(FILE *err, const char *text)
{
	(void)fprintf(err, "relayq: %s\n", text);
	return OPS_REFUSED;
}

/* A salt from the kernel and the library's own default cost. */
static enum ops_exit print_hash(const struct secret *secret, FILE *out, FILE *err)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	char *setting = crypt_gensalt_ra("$y$", 0, NULL, 0);
	const char *hash = setting ? crypt_r(secret->text, setting, data) : NULL;
	enum ops_exit status = OPS_DONE;

	if (!hash || hash[0] == '*')
		status = refuse(err, "the password cannot be hashed");
	else
		(void)fprintf(out, "%s\n", hash);
	explicit_bzero(data, sizeof(*data));
	free(data);
	free(setting);
	return status;
}

static enum ops_exit print_verifier(const struct secret *secret, FILE *out, FILE *err)
{
	char *text;

	for (size_t i = 0; i < secret->len; i++)
		if (secret->text[i] < ' ' || secret->text[i] > '~')
			return refuse(err, "for --scram a password is of printable ASCII alone: clients write others in different ways");
	text = scram_verifier_make(secret->text);
	(void)fprintf(out, "%s\n", text);
	free(text);
	return OPS_DONE;
}

/* Characters of UTF-8, by their first bytes. */
static size_t count_characters(const struct secret *secret)
{
	size_t count = 0;

	for (size_t i = 0; i < secret->len; i++)
		count += ((unsigned char)secret->text[i] & 0xc0) != 0x80;
	return count;
}

static size_t count_different(const struct secret *secret)
{
	bool seen[256] = { false };
	size_t count = 0;

	for (size_t i = 0; i < secret->len; i++) {
		bool *mark = &seen[(unsigned char)secret->text[i]];

		count += !*mark;
		*mark = true;
	}
	return count;
}

static enum ops_exit check_strength(const struct hash_wish *wish, const struct secret *secret, FILE *err)
{
	size_t different = wish->length_least / 2 < 5 ? wish->length_least / 2 : 5;

	if (count_characters(secret) < wish->length_least)
		(void)fprintf(err, "relayq: the password has %zu characters, expected at least %u (--min or auth.password_length)\n",
		    count_characters(secret), wish->length_least);
	else if (count_different(secret) < different)
		(void)fprintf(err, "relayq: the password is of %zu different characters, expected at least %zu\n", count_different(secret), different);
	else
		return OPS_DONE;
	return OPS_REFUSED;
}

static enum ops_exit print_secret(const struct hash_wish *wish, const struct secret *secret, FILE *out, FILE *err)
{
	enum ops_exit status = check_strength(wish, secret, err);

	if (status != OPS_DONE)
		return status;
	return wish->scram ? print_verifier(secret, out, err) : print_hash(secret, out, err);
}

enum ops_exit hash_run(const struct hash_wish *wish, FILE *in, FILE *out, FILE *err)
{
	struct secret first, again;
	enum ops_exit status;

	if (!ask(in, err, "Password: ", &first))
		status = refuse(err, "expected a password: one line of at most 511 bytes");
	else if (first.len == 0)
		status = refuse(err, "an empty password is no password");
	else if (isatty(fileno(in)) && (!ask(in, err, "Once more: ", &again) || strcmp(first.text, again.text) != 0))
		status = refuse(err, "the two differ");
	else
		status = print_secret(wish, &first, out, err);
	explicit_bzero(&first, sizeof(first));
	explicit_bzero(&again, sizeof(again));
	return status;
}
