/* conf/files.c - whether the files that a configuration names can be used by the user that the daemon becomes. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/link.h"

#define GROUPS_MAX 256

enum use { USE_READ, USE_FOLDER };

struct wanted {
	const char *key, *path;
	enum use use;
	struct place at;
	int error; /* errno of the trial; 0: usable */
};

struct trial {
	struct wanted *files;
	size_t count;
	bool become;           /* root that takes on another user */
	uid_t uid;
	gid_t gid;
	gid_t groups[GROUPS_MAX];
	int group_count;
};

static void want(struct trial *t, const struct conf *conf, const char *key, char *const *field, enum use use)
{
	if (*field)
		t->files[t->count++] = (struct wanted){ .key = key, .path = *field, .use = use,
			.at = origin_of(conf, field, NULL) };
}

static void collect(struct trial *t, const struct conf *conf)
{
	t->files = xcalloc(7 + 2 * conf->tls_more_count + conf->dkim_count + conf->dns.anchor_count, sizeof(*t->files));
	if (access(conf->file, F_OK) == 0)
		t->files[t->count++] = (struct wanted){ .key = "the file itself", .path = conf->file,
			.at = { conf->file, 0, 0 } };
	want(t, conf, "state", &conf->state, USE_FOLDER);
	want(t, conf, "tls.cert", &conf->tls_cert, USE_READ);
	want(t, conf, "tls.key", &conf->tls_key, USE_READ);
	want(t, conf, "replies", &conf->replies, USE_READ);
	want(t, conf, "delivery.ca", &conf->delivery.ca, USE_READ);
	for (size_t i = 0; i < conf->tls_more_count; i++) {
		want(t, conf, "tls.more.cert", &conf->tls_more[i].cert, USE_READ);
		want(t, conf, "tls.more.key", &conf->tls_more[i].key, USE_READ);
	}
	for (size_t i = 0; i < conf->dkim_count; i++)
		want(t, conf, "dkim.key", &conf->dkim[i].key, USE_READ);
	for (size_t i = 0; i < conf->dns.anchor_count; i++)
		want(t, conf, "dns.anchors", &conf->dns.anchors[i], USE_READ);
}

/* In the child of a process that may have threads: system calls only. */
static int try_file(const struct wanted *file)
{
	struct stat status;
	int fd;

	if (file->use == USE_FOLDER) {
		if (stat(file->path, &status) != 0)
			return errno;
		if (!S_ISDIR(status.st_mode))
			return ENOTDIR;
		return faccessat(AT_FDCWD, file->path, R_OK | W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
	}
	fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno;
	if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
		close(fd);
		return EISDIR;
	}
	close(fd);
	return 0;
}

/* The kernel's checks, not our idea of them: access rules of folders, groups and lists of access all count. */
_Noreturn static void child(const struct trial *t, int out)
{
	if (setgroups((size_t)t->group_count, t->groups) != 0 || setgid(t->gid) != 0 || setuid(t->uid) != 0)
		_exit(1);
	for (size_t i = 0; i < t->count; i++) {
		int error = try_file(&t->files[i]);

		if (write(out, &error, sizeof(error)) != sizeof(error))
			_exit(1);
	}
	_exit(0);
}

static bool read_results(struct trial *t, int in)
{
	for (size_t i = 0; i < t->count; i++) {
		ssize_t got;

		do
			got = read(in, &t->files[i].error, sizeof(t->files[i].error));
		while (got < 0 && errno == EINTR);
		if (got != sizeof(t->files[i].error))
			return false;
	}
	return true;
}

static bool run_as_user(struct trial *t)
{
	int ends[2];
	bool done;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	pid = fork();
	if (pid == 0)
		child(t, ends[1]);
	close(ends[1]);
	done = pid > 0 && read_results(t, ends[0]);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return done;
}

static bool run_trial(struct trial *t)
{
	if (t->become)
		return run_as_user(t);
	for (size_t i = 0; i < t->count; i++)
		t->files[i].error = try_file(&t->files[i]);
	return true;
}

/* Who will open the files: the named user when root starts us, else ourselves. */
static void choose_user(struct trial *t, const struct conf *conf, struct fault_list *list)
{
	const struct passwd *user = getpwnam(conf->user);
	struct place at = origin_of(conf, &conf->user, NULL);

	if (geteuid() != 0) {
		if (!user || user->pw_uid != geteuid())
			fault_warn(list, at, "not started as root, expected that to become \"%s\": stays who it is", conf->user);
		return;
	}
	if (!user || user->pw_uid == 0) {
		fault_warn(list, at, "user is \"%s\", expected one without the rights of root", conf->user);
		return;
	}
	t->become = true;
	t->uid = user->pw_uid;
	t->gid = user->pw_gid;
	t->group_count = GROUPS_MAX;
	if (getgrouplist(conf->user, t->gid, t->groups, &t->group_count) < 0)
		t->group_count = GROUPS_MAX;
}

static void report(const struct trial *t, const struct conf *conf, struct fault_list *list)
{
	const struct passwd *self = getpwuid(geteuid());
	const char *user = t->become ? conf->user : self ? self->pw_name : "this one";

	for (size_t i = 0; i < t->count; i++) {
		const struct wanted *file = &t->files[i];
		bool folder = file->use == USE_FOLDER;

		if (file->error == 0)
			continue;
		if (folder && file->error == ENOENT)
			fault_warn(list, file->at, "%s: found no %s, expected a folder that user \"%s\" can write", file->key,
			    file->path, conf->user);
		else
			fault_error(list, file->at, "%s: cannot use %s (%s), expected a %s that user \"%s\" can %s", file->key,
			    file->path, strerror(file->error), folder ? "folder" : "file", user, folder ? "write" : "read");
	}
}

void conf_check_files(const struct conf *conf, struct conf_faults *faults)
{
	struct fault_list list = { 0 };
	struct trial trial = { 0 };

	choose_user(&trial, conf, &list);
	collect(&trial, conf);
	if (run_trial(&trial))
		report(&trial, conf, &list);
	else
		fault_error(&list, origin_of(conf, &conf->user, NULL), "cannot become \"%s\" to try the files, expected that",
		    conf->user);
	free(trial.files);
	fault_export(&list, faults);
}

void conf_fault(const struct conf *conf, const void *field, bool is_error, struct conf_faults *faults, const char *format, ...)
{
	struct fault_list list = { 0 };
	struct place at = origin_of(conf, field, NULL);
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	must(len >= 0);
	(is_error ? fault_error : fault_warn)(&list, at, "%s", text);
	free(text);
	fault_export(&list, faults);
}
