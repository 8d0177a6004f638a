/* tests/unit/base/test_mailbox.c - handing items from many threads to one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mailbox.h"

#define SENDERS 4
#define EACH    20000

struct item {
	struct mail_item mail;
	int sender, number;
};

/* What the running items saw; used on the owner's thread alone. */
static int seen[64], seen_count;
static int last_of[SENDERS];

static void note(struct mail_item *mail)
{
	struct item *item = CONTAINER_OF(mail, struct item, mail);

	seen[seen_count++] = item->number;
}

static bool readable(struct mailbox *box)
{
	struct pollfd fd = { .fd = mailbox_fd(box), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static void post(struct mailbox *box, struct item *items, int count)
{
	for (int i = 0; i < count; i++) {
		items[i] = (struct item){ .mail.run = note, .number = i };
		mailbox_post(box, &items[i].mail);
	}
}

static int setup(void **state)
{
	*state = mailbox_create();
	seen_count = 0;
	return 0;
}

static int teardown(void **state)
{
	struct mailbox *box = *state;

	mailbox_destroy(&box);
	return box == NULL ? 0 : -1;
}

static void items_run_in_the_order_of_posting(void **state)
{
	struct mailbox *box = *state;
	struct item items[10];

	post(box, items, 10);
	assert_int_equal(mailbox_run(box, 0), 10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(seen[i], i);
	assert_int_equal(mailbox_run(box, 0), 0);
}

static void the_eventfd_tells_whether_there_is_something(void **state)
{
	struct mailbox *box = *state;
	struct item items[3];

	assert_false(readable(box));
	post(box, items, 3);
	assert_true(readable(box));
	assert_int_equal(mailbox_run(box, 2), 2);
	assert_true(readable(box));
	assert_int_equal(mailbox_run(box, 2), 1);
	assert_false(readable(box));
}

static void what_a_bounded_run_leaves_comes_before_what_is_posted_later(void **state)
{
	struct mailbox *box = *state;
	struct item items[3], later = { .mail.run = note, .number = 99 };
	struct mail_item *all;

	post(box, items, 3);
	assert_int_equal(mailbox_run(box, 1), 1);
	mailbox_post(box, &later.mail);
	all = mailbox_take(box);
	assert_ptr_equal(all, &items[1].mail);
	assert_ptr_equal(all->next, &items[2].mail);
	assert_ptr_equal(all->next->next, &later.mail);
	assert_null(all->next->next->next);
	assert_null(mailbox_take(box));
	assert_false(readable(box));
}

struct chain {
	struct mail_item mail;
	struct mailbox *box;
	int ran;
};

static void post_again(struct mail_item *mail)
{
	struct chain *chain = CONTAINER_OF(mail, struct chain, mail);

	chain->ran++;
	mailbox_post(chain->box, mail);
}

static void an_item_that_posts_itself_waits_for_the_next_turn(void **state)
{
	struct chain chain = { .mail.run = post_again, .box = *state };

	mailbox_post(chain.box, &chain.mail);
	assert_int_equal(mailbox_run(chain.box, 0), 1);
	assert_int_equal(chain.ran, 1);
	assert_true(readable(chain.box));
	assert_int_equal(mailbox_run(chain.box, 0), 1);
}

static void waiting_ends_with_the_time_or_with_an_item(void **state)
{
	struct mailbox *box = *state;
	struct item item;
	mono_ms before = clock_mono();

	assert_false(mailbox_wait(box, 0));
	assert_false(mailbox_wait(box, 20));
	assert_true(clock_mono() - before >= 19);
	post(box, &item, 1);
	assert_true(mailbox_wait(box, -1));
	assert_true(mailbox_wait(box, 0));
	assert_int_equal(mailbox_run(box, 0), 1);
	assert_false(mailbox_wait(box, 0));
}

static void check_order(struct mail_item *mail)
{
	struct item *item = CONTAINER_OF(mail, struct item, mail);

	must(item->number == last_of[item->sender] + 1);
	last_of[item->sender] = item->number;
	free(item);
}

struct sender {
	pthread_t thread;
	struct mailbox *box;
	int index;
};

static void *send_all(void *arg)
{
	struct sender *sender = arg;

	for (int i = 1; i <= EACH; i++) {
		struct item *item = xcalloc(1, sizeof(*item));

		item->mail.run = check_order;
		item->sender = sender->index;
		item->number = i;
		mailbox_post(sender->box, &item->mail);
	}
	return NULL;
}

/* Every wait must end by a wake-up: a lost one shows as a wait that runs into its minute. */
static void nothing_is_lost_or_reordered_between_threads(void **state)
{
	struct sender senders[SENDERS];
	struct mailbox *box = *state;
	size_t ran = 0;

	for (int i = 0; i < SENDERS; i++) {
		last_of[i] = 0;
		senders[i] = (struct sender){ .box = box, .index = i };
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
	}
	for (size_t turn = 0; ran < (size_t)SENDERS * EACH; turn++) {
		assert_true(mailbox_wait(box, 60000));
		ran += mailbox_run(box, turn % 3 == 0 ? 0 : 50);
	}
	for (int i = 0; i < SENDERS; i++) {
		assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
		assert_int_equal(last_of[i], EACH);
	}
	assert_null(mailbox_take(box));
}

#define ROUNDS 2000

/* A ball that two owners throw to each other: each time the other sleeps and nobody else would wake it. */
struct ball {
	struct mail_item mail;
	int thrown;
};

struct player {
	struct mailbox *own, *other;
};

static void *play(void *arg)
{
	struct player *player = arg;

	while (mailbox_wait(player->own, 60000)) {
		struct ball *ball = CONTAINER_OF(mailbox_take(player->own), struct ball, mail);
		bool last = ++ball->thrown >= ROUNDS;

		mailbox_post(player->other, &ball->mail);
		if (last)
			return player;
	}
	return NULL;
}

static void each_post_wakes_a_sleeping_owner(void **state)
{
	struct mailbox *box = *state, *other = mailbox_create();
	struct player player = { .own = other, .other = box };
	struct ball ball = { .thrown = 0 };
	pthread_t thread;
	void *result;

	assert_int_equal(pthread_create(&thread, NULL, play, &player), 0);
	for (int i = 0; i < ROUNDS; i++) {
		mailbox_post(other, &ball.mail);
		assert_true(mailbox_wait(box, 60000));
		assert_ptr_equal(mailbox_take(box), &ball.mail);
		assert_int_equal(ball.thrown, i + 1);
	}
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, &player);
	mailbox_destroy(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(items_run_in_the_order_of_posting, setup, teardown),
		cmocka_unit_test_setup_teardown(the_eventfd_tells_whether_there_is_something, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_bounded_run_leaves_comes_before_what_is_posted_later, setup, teardown),
		cmocka_unit_test_setup_teardown(an_item_that_posts_itself_waits_for_the_next_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_ends_with_the_time_or_with_an_item, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_lost_or_reordered_between_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(each_post_wakes_a_sleeping_owner, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
