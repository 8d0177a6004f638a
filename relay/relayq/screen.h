/* relay/relayq/screen.h - a terminal in full: lines drawn on it, keys and changes of its size read from it. The only place for ncurses. */
#ifndef RELAYQ_SCREEN_H
#define RELAYQ_SCREEN_H

#include "base/err.h"
#include "relay/relayq/top_page.h"

/* Take the terminal of standard input and output. False: there is none, or of a kind that is not known. */
bool screen_open(void);
void screen_close(void); /* gives it back as it was */

/* Of the terminal as it is now, in columns and lines, each 1 at least. */
void screen_size(size_t *width_out, size_t *height_out);
/* Show these lines, from the top, and nothing else. */
void screen_draw(const struct top_line *lines, size_t count);

enum screen_key { SCREEN_NONE, SCREEN_CHAR, SCREEN_RESIZED, SCREEN_UP, SCREEN_DOWN, SCREEN_PAGE_UP, SCREEN_PAGE_DOWN, SCREEN_GONE };

/* Wait for a key, up to `ms`. SCREEN_NONE: time is over, or a signal came; SCREEN_CHAR: *char_out is it; SCREEN_GONE: there is no terminal any more. */
enum screen_key screen_wait(int64_t ms, char *char_out);

#endif
