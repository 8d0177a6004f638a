/* relay/daemon/privileges.c - from root to the configured user, once, after binding. */
#include "relay/daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err make_one(const char *path, const struct passwd *owner, struct err_detail *why)
{
	if (mkdir(path, 0750) != 0) {
		if (errno == EEXIST)
			return OK;
		return err_set(why, ERR_IO, "cannot make folder %s: %s", path, strerror(errno));
	}
	if (owner && chown(path, owner->pw_uid, owner->pw_gid) != 0)
		return err_set(why, ERR_IO, "cannot give folder %s to %s: %s", path, owner->pw_name, strerror(errno));
	return OK;
}

enum err privileges_make_dir(const char *path, const char *user, struct err_detail *why)
{
	const struct passwd *owner = NULL;
	char *copy = xstrdup(path);
	enum err err = OK;

	if (geteuid() == 0) {
		owner = getpwnam(user);
		if (!owner)
			err = err_set(why, ERR_INVALID, "user %s does not exist; create it or set `user`", user);
	}
	for (char *p = copy + 1; err == OK && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (access(copy, F_OK) != 0) {
			err = make_one(copy, NULL, why);
			(void)!chmod(copy, 0755); /* a parent: others may pass */
		}
		*p = '/';
	}
	if (err == OK)
		err = make_one(copy, owner, why);
	free(copy);
	return err;
}

uint64_t privileges_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return UINT64_MAX;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

/* Everything but the right to bind low ports goes. */
static enum err keep_bind_only(struct err_detail *why)
{
	static const cap_value_t BIND[] = {CAP_NET_BIND_SERVICE};
	cap_t caps = cap_init();
	enum err err = OK;

	if (!caps || cap_set_flag(caps, CAP_PERMITTED, 1, BIND, CAP_SET) != 0 ||
	    cap_set_flag(caps, CAP_EFFECTIVE, 1, BIND, CAP_SET) != 0 || cap_set_proc(caps) != 0)
		err = err_set(why, ERR_DENIED, "cannot reduce capabilities: %s", strerror(errno));
	if (caps)
		(void)cap_free(caps);
	return err;
}

static enum err become(const struct passwd *pw, struct err_detail *why)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return err_set(why, ERR_DENIED, "cannot keep capabilities: %s", strerror(errno));
	if (initgroups(pw->pw_name, pw->pw_gid) != 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return err_set(why, ERR_DENIED, "cannot become user %s: %s", pw->pw_name, strerror(errno));
	return keep_bind_only(why);
}

enum err privileges_drop(const char *user, char **warning_out, struct err_detail *why)
{
	const struct passwd *pw;
	enum err err = OK;

	*warning_out = NULL;
	if (geteuid() != 0) {
		pw = getpwuid(geteuid());
		if (!pw || strcmp(pw->pw_name, user) != 0)
			*warning_out = xasprintf("started by user %s: privileges are not changed to `user: %s`", pw ? pw->pw_name : "?", user);
	} else if (strcmp(user, "root") == 0) {
		*warning_out = xasprintf("`user: root`: the relay keeps all privileges of root");
	} else {
		pw = getpwnam(user);
		if (!pw)
			return err_set(why, ERR_INVALID, "user %s does not exist; create it or set `user`", user);
		err = become(pw, why);
	}
	if (err == OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		err = err_set(why, ERR_DENIED, "cannot give up new privileges: %s", strerror(errno));
	return err;
}
