/* conf/snapshot.c - one loaded configuration: made from a file, shared by reference count, compared at a reload. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/check.h"
#include "conf/index.h"
#include "conf/link.h"
#include "conf/replies.h"
#include "conf/slurp.h"

static struct conf *conf_create(const char *file)
{
	struct conf *conf = xcalloc(1, sizeof(*conf));
	struct memory *memory = xcalloc(1, sizeof(*memory));

	conf->refs = 1;
	conf->memory = memory;
	conf->file = memory_text(memory, file);
	conf->origins = memory_alloc(memory, sizeof(struct origins));
	return conf;
}

static void conf_destroy(struct conf *conf)
{
	struct memory *memory = conf->memory;
	struct index *index = conf->index;

	if (conf->attached)
		conf->attached_free(conf->attached);
	index_destroy(&index);
	origin_fini((struct origins *)(uintptr_t)conf->origins);
	memory_fini(memory);
	free(memory);
	free(conf);
}

struct conf *conf_ref(struct conf *conf)
{
	__atomic_add_fetch(&conf->refs, 1, __ATOMIC_RELAXED);
	return conf;
}

void conf_unref(struct conf **conf)
{
	if (*conf && __atomic_sub_fetch(&(*conf)->refs, 1, __ATOMIC_ACQ_REL) == 0)
		conf_destroy(*conf);
	*conf = NULL;
}

/* The folder of `file`, absolute, without a slash at the end. */
static const char *folder_of(const char *file, struct memory *memory)
{
	const char *slash = strrchr(file, '/');
	char *here;
	const char *out;

	if (slash && file[0] == '/')
		return memory_format(memory, "%.*s", (int)(slash - file), file);
	here = getcwd(NULL, 0);
	if (slash)
		out = memory_format(memory, "%s/%.*s", here ? here : "", (int)(slash - file), file);
	else
		out = memory_text(memory, here ? here : "");
	free(here);
	return out;
}

static void load_all(struct load *load, struct conf *conf, const char *text, size_t len)
{
	bool complete;
	struct yaml_node *root = yaml_tree_parse(load->scratch, conf->file, text, len, load->faults, &complete);

	if (!root)
		return;
	load_shipped(load, root);
	load_section(load, SECTION_ROOT, root, conf);
	origin_sort(load->origins);
	/* A rule about a part that the syntax error hides would only mislead. */
	if (!complete)
		return;
	link_conf(load, conf);
	check_conf(conf, load->faults);
}

/* Text alone names no file that is opened here: what is not trusted, such as a fuzzer's, reads nothing of the machine. */
static struct conf *load_text(const char *file, const char *text, size_t len, bool open_files, struct conf_faults *faults)
{
	struct conf *conf = conf_create(file);
	struct memory scratch = { NULL };
	struct fault_list list = { 0 };
	struct load load = { .memory = conf->memory, .scratch = &scratch, .faults = &list,
		.origins = (struct origins *)(uintptr_t)conf->origins };

	*faults = (struct conf_faults){ 0 };
	load.base = folder_of(conf->file, &scratch);
	load_all(&load, conf, text, len);
	fault_export(&list, faults);
	conf->reply_rules = replies_load(conf->memory, open_files ? conf->replies : NULL, &list);
	fault_export(&list, faults);
	memory_fini(&scratch);
	if (faults->count > 0)
		conf_unref(&conf);
	return conf;
}

struct conf *conf_load_text(const char *file, const char *text, size_t len, struct conf_faults *faults)
{
	return load_text(file, text, len, false, faults);
}

static void warn_if_readable_by_all(const struct conf *conf, const struct stat *status, struct conf_faults *faults)
{
	struct fault_list list = { 0 };
	size_t logins = 0;

	for (size_t i = 0; i < conf->tenant_count; i++)
		logins += conf->tenants[i].login_count;
	if (logins == 0 || !S_ISREG(status->st_mode) || !(status->st_mode & S_IROTH))
		return;
	fault_warn(&list, (struct place){ conf->file, 0, 0 },
	    "holds password hashes and everybody may read it (mode %04o), expected 0640", status->st_mode & 07777);
	fault_export(&list, faults);
}

struct conf *conf_load(const char *file, struct conf_faults *faults)
{
	struct fault_list list = { 0 };
	struct err_detail why = { 0 };
	struct conf *conf = NULL;
	struct stat status;
	struct buf text;

	*faults = (struct conf_faults){ 0 };
	buf_init(&text, YAML_BYTES_MAX);
	if (slurp_file(file, &text, &status, &why) == OK) {
		conf = load_text(file, buf_str(&text), text.len, true, faults);
		if (conf)
			warn_if_readable_by_all(conf, &status, faults);
	} else {
		fault_error(&list, (struct place){ file, 0, 0 }, "%s", why.text);
		fault_export(&list, faults);
	}
	buf_fini(&text);
	return conf;
}

char *conf_restart_needed(const struct conf *running, const struct conf *next)
{
	char *out = NULL;

	for (size_t i = 0; i < schema_row_count; i++) {
		const struct schema_row *row = &schema_rows[i];
		char a_text[VALUE_TEXT_MAX], b_text[VALUE_TEXT_MAX], *old = out;
		struct value a, b;

		if (row->reload != RELOAD_RESTART)
			continue;
		must(row->section == SECTION_ROOT && row->kind == SCHEMA_VALUE);
		must(value_load(row->type, (const char *)running + row->offset, (const char *)running + row->extra, &a));
		must(value_load(row->type, (const char *)next + row->offset, (const char *)next + row->extra, &b));
		if (strcmp(value_format(row->type, &a, a_text), value_format(row->type, &b, b_text)) == 0)
			continue;
		out = xasprintf("%s%s%s", old ? old : "", old ? ", " : "", row->key);
		free(old);
	}
	return out;
}
