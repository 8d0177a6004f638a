/* relay/deliver/needle.c - what a text must contain for a regular expression to be found in it. */
#include "relay/deliver/needle.h"

#include <stdlib.h>
#include <string.h>

#define WORD_LEAST 3  /* bytes that are hashed together */
#define WORDS_MAX  64 /* of one set; an expression with more choices has none there */
#define SETS_MAX   6  /* of one expression; further ones would tell little more */
#define DEPTH_MAX  8

/* Bytes of the expression itself, which stand for themselves. */
struct word {
	const char *at;
	size_t len;
};

/* One of these; count 0: not known. */
struct set {
	struct word words[WORDS_MAX];
	size_t count;
};

/* The words of all sets one after the other, each set ended by one without bytes. */
struct needle {
	char *pattern; /* the words point into it */
	struct word *words;
	size_t count; /* of sets */
};

/* --- groups of three bytes --------------------------------------------------------------------------------------------------- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static unsigned slot_of(const char *three)
{
	uint32_t value = (uint32_t)(uint8_t)lower(three[0]) << 16 | (uint32_t)(uint8_t)lower(three[1]) << 8 | (uint8_t)lower(three[2]);

	return value * 2654435761u >> 20;
}

void haystack_init(struct haystack *haystack, const char *text, size_t len)
{
	memset(haystack, 0, sizeof(*haystack));
	for (size_t i = 0; i + WORD_LEAST <= len; i++) {
		unsigned slot = slot_of(text + i);

		haystack->seen[slot / 64] |= UINT64_C(1) << slot % 64;
	}
}

static bool may_contain(const struct haystack *haystack, const struct word *word)
{
	for (size_t i = 0; i + WORD_LEAST <= word->len; i++) {
		unsigned slot = slot_of(word->at + i);

		if (!(haystack->seen[slot / 64] >> slot % 64 & 1))
			return false;
	}
	return true;
}

bool needle_may_be_in(const struct needle *needle, const struct haystack *haystack)
{
	const struct word *word = needle->words;

	for (size_t i = 0; i < needle->count; i++, word++) {
		while (word->len > 0 && !may_contain(haystack, word))
			word++;
		if (word->len == 0)
			return false;
		while (word->len > 0)
			word++;
	}
	return true;
}

/* --- reading an expression --------------------------------------------------------------------------------------------------- */

enum token {
	TOKEN_END,
	TOKEN_PLAIN,   /* stands for itself */
	TOKEN_SOME,    /* one or more of what stands before */
	TOKEN_PERHAPS, /* what stands before may be missing */
	TOKEN_OPEN, TOKEN_LOOK, /* a group; one that only looks ahead or behind */
	TOKEN_CLOSE, TOKEN_BAR,
	TOKEN_OTHER,   /* something, or a place, that is no plain character */
	TOKEN_UNKNOWN, /* not understood: nothing can be concluded */
};

/* Escapes that stand for one character or place, whatever follows them. */
static bool is_simple_escape(char c)
{
	return c && (strchr("bBdDsSwWAzZ", c) || (c >= '!' && c <= '/') || strchr(":;<=>@[]^_`{|}~?", c));
}

/* Behind the set that begins at `p`; NULL: not understood. */
static const char *set_end(const char *p)
{
	p += p[1] == '^' ? 2 : 1;
	for (p += *p == ']'; *p && *p != ']'; p++)
		if ((*p == '\\' && !is_simple_escape(*++p)) || (*p == '[' && p[1] && strchr(":.=", p[1])))
			return NULL;
	return *p ? p + 1 : NULL;
}

static enum token group_begin(const char *p, const char **end)
{
	static const char *const LOOKS[] = { "(?=", "(?!", "(?<=", "(?<!" };

	if (strncmp(p, "(?:", 3) == 0) {
		*end = p + 3;
		return TOKEN_OPEN;
	}
	for (size_t i = 0; i < ARRAY_LEN(LOOKS); i++) {
		if (strncmp(p, LOOKS[i], strlen(LOOKS[i])) != 0)
			continue;
		*end = p + strlen(LOOKS[i]);
		return TOKEN_LOOK;
	}
	*end = p + 1;
	return p[1] == '?' || p[1] == '*' ? TOKEN_UNKNOWN : TOKEN_OPEN;
}

/* Bytes of "{2}", "{2,}" or "{2,3}"; 1: a brace that stands for itself. */
static size_t count_len(const char *p)
{
	size_t len = 1 + strspn(p + 1, "0123456789");

	if (len == 1)
		return 1;
	if (p[len] == ',')
		len += 1 + strspn(p + len + 1, "0123456789");
	return p[len] == '}' ? len + 1 : 1;
}

static enum token token_at(bool wide, const char *p, const char **end)
{
	*end = p + 1;
	switch (*p) {
	case '\0':
		*end = p;
		return TOKEN_END;
	case '\\':
		*end = p + 2;
		return is_simple_escape(p[1]) ? TOKEN_OTHER : TOKEN_UNKNOWN;
	case '[':
		*end = set_end(p);
		return *end ? TOKEN_OTHER : TOKEN_UNKNOWN;
	case '(':
		return group_begin(p, end);
	case ')':
		return TOKEN_CLOSE;
	case '|':
		return TOKEN_BAR;
	case '+':
		return TOKEN_SOME;
	case '?':
	case '*':
		return TOKEN_PERHAPS;
	case '{':
		*end = p + count_len(p);
		return *end > p + 1 ? TOKEN_PERHAPS : TOKEN_OTHER;
	case '.':
	case '^':
	case '$':
	case ']':
	case '}':
		return TOKEN_OTHER;
	default:
		/* The case of other letters is folded in ways of their own, and two of ASCII stand for such (long s, the Kelvin sign). */
		return (uint8_t)*p >= 0x80 || (wide && strchr("kKsS", *p)) ? TOKEN_OTHER : TOKEN_PLAIN;
	}
}

struct reader {
	const char *p;
	int depth;
	bool wide;
	bool unknown;
};

/* What the parts of one branch demand. */
struct demands {
	struct set sets[SETS_MAX];
	size_t count;
};

static size_t shortest(const struct set *set)
{
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < set->count; i++)
		if (set->words[i].len < least)
			least = set->words[i].len;
	return least;
}

static void demand(struct demands *demands, const struct set *set)
{
	if (set->count > 0 && demands->count < SETS_MAX)
		demands->sets[demands->count++] = *set;
}

static void demand_word(struct demands *demands, const char *at, size_t len)
{
	struct set set = { .words = { { at, len } }, .count = 1 };

	if (len >= WORD_LEAST)
		demand(demands, &set);
}

static void read_choices(struct reader *r, struct set *out, struct demands *only);

/* A group, behind its opening; a group that may be missing, or only looks, demands nothing. */
static void read_group(struct reader *r, bool looks, struct demands *demands)
{
	struct set *set = xcalloc(1, sizeof(*set));
	const char *end;

	if (++r->depth > DEPTH_MAX)
		r->unknown = true;
	else
		read_choices(r, set, NULL);
	r->depth--;
	r->p += *r->p == ')';
	if (!looks && token_at(r->wide, r->p, &end) != TOKEN_PERHAPS)
		demand(demands, set);
	free(set);
}

/* Up to the bar, bracket or end behind it. */
static void read_branch(struct reader *r, struct demands *demands)
{
	size_t run = 0; /* plain characters just before r->p */

	while (!r->unknown) {
		const char *begin = r->p, *end;
		enum token token = token_at(r->wide, begin, &end);

		if (token == TOKEN_PLAIN) {
			run++;
			r->p = end;
			continue;
		}
		demand_word(demands, begin - run, token == TOKEN_PERHAPS && run > 0 ? run - 1 : run);
		run = 0;
		if (token == TOKEN_END || token == TOKEN_BAR || token == TOKEN_CLOSE)
			return;
		r->unknown = token == TOKEN_UNKNOWN;
		r->p = end ? end : begin;
		if (token == TOKEN_OPEN || token == TOKEN_LOOK)
			read_group(r, token == TOKEN_LOOK, demands);
	}
}

/* Add the words that tell most of what a branch demands. False: it demands nothing, or there is no room. */
static bool join(struct set *out, const struct demands *branch)
{
	const struct set *best = NULL;

	for (size_t i = 0; i < branch->count; i++)
		if (!best || shortest(&branch->sets[i]) > shortest(best))
			best = &branch->sets[i];
	if (!best || out->count + best->count > WORDS_MAX)
		return false;
	memcpy(&out->words[out->count], best->words, best->count * sizeof(best->words[0]));
	out->count += best->count;
	return true;
}

/* All branches, to the closing bracket or the end: one word of `out` is in every match. `only` gets all demands when there is one branch
 * alone, and `out` is left empty then. */
static void read_choices(struct reader *r, struct set *out, struct demands *only)
{
	struct demands *branch = xcalloc(1, sizeof(*branch));
	bool known = true, first = true;

	for (;; r->p++, first = false) {
		branch->count = 0;
		read_branch(r, branch);
		if (only && first && *r->p == '\0') {
			*only = *branch;
			break;
		}
		known = join(out, branch) && known;
		if (r->unknown || *r->p != '|')
			break;
	}
	if (!known)
		out->count = 0;
	free(branch);
}

static void keep(struct needle *needle, const struct demands *demands)
{
	struct word *word;
	size_t words = 0;

	for (size_t i = 0; i < demands->count; i++)
		words += demands->sets[i].count + 1;
	word = needle->words = xcalloc(words + 1, sizeof(*needle->words));
	needle->count = demands->count;
	for (size_t i = 0; i < demands->count; i++) {
		memcpy(word, demands->sets[i].words, demands->sets[i].count * sizeof(*word));
		word += demands->sets[i].count + 1;
	}
}

struct needle *needle_create(const char *pattern, bool wide)
{
	struct needle *needle = xcalloc(1, sizeof(*needle));
	struct demands *demands = xcalloc(1, sizeof(*demands));
	struct set *choice = xcalloc(1, sizeof(*choice));
	struct reader r;

	needle->pattern = xstrdup(pattern);
	r = (struct reader){ .p = needle->pattern, .wide = wide };
	read_choices(&r, choice, demands);
	demand(demands, choice);
	if (!r.unknown && *r.p == '\0')
		keep(needle, demands);
	free(choice);
	free(demands);
	return needle;
}

void needle_destroy(struct needle **needle)
{
	if (!*needle)
		return;
	free((*needle)->words);
	free((*needle)->pattern);
	free(*needle);
	*needle = NULL;
}
