/* relay/relayq/screen.c - a terminal in full: lines drawn on it, keys and changes of its size read from it. The only place for ncurses. */
#include "relay/relayq/screen.h"

#include <ncurses.h>
#include <poll.h>
#include <unistd.h>

static SCREEN *terminal;

bool screen_open(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return false;
	(void)set_term(terminal);
	(void)cbreak();
	(void)noecho();
	(void)nodelay(stdscr, TRUE);
	(void)keypad(stdscr, TRUE);
	(void)set_escdelay(25);
	(void)curs_set(0);
	return true;
}

void screen_close(void)
{
	(void)endwin();
	delscreen(terminal);
	terminal = NULL;
}

void screen_size(size_t *width_out, size_t *height_out)
{
	int height, width;

	getmaxyx(stdscr, height, width);
	*width_out = width > 0 ? (size_t)width : 1;
	*height_out = height > 0 ? (size_t)height : 1;
}

static attr_t look_of(enum top_style style)
{
	switch (style) {
	case TOP_HEAD:
		return A_REVERSE;
	case TOP_TITLE:
		return A_UNDERLINE;
	case TOP_ALARM:
		return A_BOLD;
	case TOP_PLAIN:
		break;
	}
	return A_NORMAL;
}

void screen_draw(const struct top_line *lines, size_t count)
{
	(void)erase();
	for (size_t i = 0; i < count; i++) {
		(void)attrset(look_of(lines[i].style));
		(void)mvaddstr((int)i, 0, lines[i].text);
		/* A head as wide as the screen. */
		if (lines[i].style == TOP_HEAD)
			for (int x = getcurx(stdscr); getcury(stdscr) == (int)i && x < COLS; x++)
				(void)mvaddch((int)i, x, ' ');
	}
	(void)attrset(A_NORMAL);
	(void)refresh();
}

static enum screen_key key_of(int key, char *char_out)
{
	static const struct {
		int key;
		enum screen_key is;
	} KEYS[] = {
		{ KEY_RESIZE, SCREEN_RESIZED }, { KEY_UP, SCREEN_UP }, { KEY_DOWN, SCREEN_DOWN }, { KEY_PPAGE, SCREEN_PAGE_UP },
		{ KEY_NPAGE, SCREEN_PAGE_DOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
		if (KEYS[i].key == key)
			return KEYS[i].is;
	if (key < ' ' || key > '~')
		return SCREEN_NONE;
	*char_out = (char)key;
	return SCREEN_CHAR;
}

enum screen_key screen_wait(int64_t ms, char *char_out)
{
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	int ready = poll(&fd, 1, (int)ms), key = getch();

	/* Readable and yet nothing to read: the other end has closed. */
	if (key == ERR)
		return ready > 0 ? SCREEN_GONE : SCREEN_NONE;
	return key_of(key, char_out);
}
