/* relay/intake/admission.c - asks main whether a client may stay whose address has become known after its connection was counted. */
#include "relay/intake/admission.h"

#include <stdlib.h>

#include "relay/intake/sessions.h"

struct admission {
	uint64_t number;
	admission_fn fn;
	void *arg;
	struct admission *next;
};

static struct admission *admission_take(struct intake *intake, uint64_t number)
{
	for (struct admission **link = &intake->admissions; *link != NULL; link = &(*link)->next) {
		struct admission *a = *link;

		if (a->number != number)
			continue;
		*link = a->next;
		return a;
	}
	return NULL;
}

uint64_t admission_ask(struct intake *intake, const struct ip_port *before, const struct ip_port *now, admission_fn fn, void *arg)
{
	struct admission *a;

	if (intake->env->on_client == NULL) {
		fn(arg, NULL);
		return 0;
	}
	a = xcalloc(1, sizeof(*a));
	a->number = ++intake->admission_last;
	a->fn = fn;
	a->arg = arg;
	a->next = intake->admissions;
	intake->admissions = a;
	intake->env->on_client(intake->env->arg, a->number, before, now);
	return a->number;
}

void admission_forget(struct intake *intake, uint64_t *number)
{
	free(*number != 0 ? admission_take(intake, *number) : NULL);
	*number = 0;
}

void intake_admit(struct intake *intake, uint64_t number, const char *busy)
{
	struct admission *a = admission_take(intake, number);

	if (a == NULL) /* its session has ended meanwhile */
		return;
	a->fn(a->arg, busy);
	free(a);
}
