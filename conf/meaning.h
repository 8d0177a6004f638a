/* conf/meaning.h - the words in which rules say what a refusal means: its class, whom it hits, what is to be done. */
#ifndef CONF_MEANING_H
#define CONF_MEANING_H

/* What a refusal is about. Stored and shown by name. */
enum replies_class {
	CLASS_THROTTLE,         /* too much or too fast: connections, messages, recipients, rate, quota of a sender */
	CLASS_GREYLIST,         /* come back later, nothing is wrong */
	CLASS_REPUTATION_BLOCK, /* our address, network or domain is listed, banned or of bad repute */
	CLASS_AUTH_POLICY,      /* SPF, DKIM, DMARC, PTR, EHLO name, TLS: something of ours must be set up */
	CLASS_CONTENT,          /* spam, virus, attachment, link, wording */
	CLASS_BAD_MAILBOX,      /* no such user */
	CLASS_BAD_DOMAIN,       /* the domain takes no mail there: no MX, not hosted, relaying denied */
	CLASS_MAILBOX_FULL,
	CLASS_MAILBOX_INACTIVE, /* disabled, suspended, expired, moved */
	CLASS_TOO_BIG,
	CLASS_PROTOCOL,         /* SMTP order or syntax, form of the message */
	CLASS_TRANSIENT_SYSTEM, /* the receiver's own trouble */
	CLASS_COMPLAINT_POLICY, /* the recipient or its administrator does not want this sender */
	CLASS_OTHER,
	CLASS_COUNT
};

/* Whom it hits. */
enum replies_scope {
	BLAME_STAGE,       /* what the stage of the dialogue says */
	BLAME_RECIPIENT, BLAME_MESSAGE,
	BLAME_SENDER,      /* the sender's domain at this destination */
	BLAME_LANE,        /* the source at this destination */
	BLAME_SOURCE,      /* the source everywhere */
	BLAME_DESTINATION,
	BLAME_COUNT
};

enum replies_action {
	ACTION_RETRY,        /* in the normal way */
	ACTION_SLOW,         /* the lane, and retry */
	ACTION_CLOSE_LANE,   /* for a time */
	ACTION_CLOSE_SOURCE, /* for that provider, until the cause is mended */
	ACTION_OTHER_SOURCE, /* at once */
	ACTION_HOLD,         /* until somebody has mended the cause */
	ACTION_BOUNCE,
	ACTION_SUPPRESS,     /* bounce, and send nothing more to the address */
	ACTION_COUNT
};

/* "mailbox-full", "recipient", "close-lane". */
const char *replies_class_name(enum replies_class class);
const char *replies_scope_name(enum replies_scope scope);
const char *replies_action_name(enum replies_action action);

#endif
