/* ns_kinds: the kinds of journal entries; the numbers are those in the journal. What each carries:
 * meta/ns_entry.c, docs/FORMAT.md.
 *
 * Pure. */
#ifndef VS_META_NS_KINDS_H
#define VS_META_NS_KINDS_H

enum ns_entry_kind {
    NS_E_NOP = 0,
    NS_E_CREATE = 1, /* new inode under a name, with content if there is any */
    NS_E_LINK = 2,
    NS_E_UNLINK = 3,
    NS_E_RMDIR = 4,
    NS_E_RENAME = 5,
    NS_E_SETATTR = 6,
    NS_E_SETXATTR = 7,
    NS_E_REMOVEXATTR = 8,
    NS_E_SWAP = 9,     /* new content of an inode, base version must be current */
    NS_E_FORGET = 10,  /* `mount` does not have this unlinked inode open; 0: whoever is gone had */
    NS_E_PUBLISH = 11, /* an inbox file moves to its place in the tree */
    NS_E_RESERVE = 12, /* a range of inode numbers for a mount */
    NS_E_SESSION_OPEN = 13,
    NS_E_SESSION_EXTEND = 14,
    NS_E_SESSION_ABORT = 15,
    NS_E_MEDIA = 16,     /* media description of a committed content version */
    NS_E_NODE_PUT = 17,  /* register or change a storage node; number 0: it registers itself */
    NS_E_COLLECTED = 18, /* released ids are gone from registers and nodes */
    NS_E_CLUSTER = 19,   /* first entry of a cluster: its uuid, root and inbox attributes */
    NS_E_MEMBERS = 20,   /* the metadata replicas of the next epoch, or of the one that is open */
    NS_E_VIEWS = 21,     /* how often files were watched; value: meta/views.h */
    NS_E_SESSION_TOUCH = 22, /* a mount lives: a sign of life of all its sessions */
    NS_E_BRAKE = 23,         /* value: why nothing may be collected; empty: it may again */
    NS_E_MOUNT = 24,     /* a mount is there: what is unlinked from now on waits for its FORGET */
    NS_E_MOUNT_END = 25, /* it is gone; signs != 0: only if it has given so many signs of life */
};

#endif
