/* relay/daemon/helpers.c - threads for what takes more than a millisecond (password hashes): a mailbox and somebody who empties it. */
#include "relay/daemon/helpers.h"

#include <pthread.h>
#include <stdlib.h>

struct helper {
	struct mailbox *box;
	struct mail_item stop;
	pthread_t thread;
	bool stopped; /* helper thread only */
};

static void run_stop(struct mail_item *item)
{
	CONTAINER_OF(item, struct helper, stop)->stopped = true;
}

static void *helper_thread(void *arg)
{
	struct helper *helper = arg;

	while (!helper->stopped)
		if (mailbox_wait(helper->box, -1))
			(void)mailbox_run(helper->box, 0);
	return NULL;
}

struct helper *helper_create(void)
{
	struct helper *helper = xcalloc(1, sizeof(*helper));

	helper->box = mailbox_create();
	must(pthread_create(&helper->thread, NULL, helper_thread, helper) == 0);
	return helper;
}

struct mailbox *helper_mailbox(struct helper *helper)
{
	return helper->box;
}

void helper_destroy(struct helper **helper_ptr)
{
	struct helper *helper = *helper_ptr;

	if (!helper)
		return;
	helper->stop.run = run_stop;
	mailbox_post(helper->box, &helper->stop);
	must(pthread_join(helper->thread, NULL) == 0);
	mailbox_destroy(&helper->box);
	free(helper);
	*helper_ptr = NULL;
}
