/* relay/relayq/settings.c - the configuration as far as the tool needs it. */
#include "relay/relayq/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define KEPT_MAX 65536 /* bytes of the lines that are kept */

static bool is_kept(const char *line)
{
	static const char *const KEYS[] = { "control:", "state:", "hostname:" };

	for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
		if (strncmp(line, KEYS[i], strlen(KEYS[i])) == 0)
			return true;
	return false;
}

/* The lines of the file that begin with a key that is needed, as a configuration of their own. A file that names neither socket nor state
 * that way may mean them in another: guessing could reach somebody else's daemon. */
static struct conf *load_kept(const char *file, FILE *in)
{
	struct conf_faults faults;
	struct conf *conf;
	struct buf kept;
	char *line = NULL;
	size_t size = 0;
	bool fits = true, named = false;

	buf_init(&kept, KEPT_MAX);
	while (fits && getline(&line, &size, in) > 0) {
		if (!is_kept(line))
			continue;
		named = named || line[0] == 'c' || line[0] == 's';
		fits = buf_add_str(&kept, line) == OK;
	}
	free(line);
	/* A file without this key would be a fault again; nothing listens here. */
	fits = fits && buf_add_str(&kept, "\nlisten: [{at: \"127.0.0.1:25\"}]\n") == OK;
	conf = !fits || !named ? NULL : conf_load_text(file, buf_str(&kept), kept.len, &faults);
	if (fits && named)
		conf_faults_free(&faults);
	buf_fini(&kept);
	return conf;
}

struct conf *settings_load(const char *file, FILE *err)
{
	struct conf_faults faults;
	struct conf *conf = conf_load(file, &faults);
	FILE *in;

	if (conf) {
		conf_faults_free(&faults);
		return conf;
	}
	in = fopen(file, "re");
	if (!in) {
		(void)fprintf(err, "relayq: %s: %s (-c names another file)\n", file, strerror(errno));
	} else {
		conf = load_kept(file, in);
		(void)fclose(in);
		(void)fprintf(err, conf ? "relayq: %s has %zu error%s (relayd -n tells); going on with its control and state alone\n" :
		    "relayq: %s has %zu error%s (relayd -n tells)\n", file, faults.count, faults.count == 1 ? "" : "s");
	}
	conf_faults_free(&faults);
	return conf;
}
