/* Sums a tree whose shape nobody knows in advance: at each node the right branch is left to any worker
 * that is idle. cf_fork_push and cf_fork_take fork what is not always there; cf_both needs two jobs. */
#include <cfutures_fork.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NODES = 100000
};

typedef struct node {
    struct node *left, *right; /* NULL = none */
    uint32_t value;            /* no less than those on the left */
    uint64_t sum;              /* of this node and all below it */
} node;

static void sum_branch(cf_strand *strand, void *job) {
    node *n = job;
    n->sum = n->value;
    /* From here on another worker may run the job. */
    cf_fork *fork = n->right == NULL ? NULL : cf_fork_push(strand, sum_branch, n->right);
    if (n->left != NULL) {
        sum_branch(strand, n->left);
        n->sum += n->left->sum;
    }
    if (fork != NULL) {
        /* Jobs are taken in the reverse order, before the function that pushed them returns. */
        if (cf_fork_take(strand, fork)) {
            sum_branch(strand, n->right); /* nobody was idle */
        }
        n->sum += n->right->sum;
    }
}

static node *add_node(node *root, node *added) {
    node **place = &root;
    while (*place != NULL) {
        place = added->value < (*place)->value ? &(*place)->left : &(*place)->right;
    }
    *place = added;
    return root;
}

static void must(cf_status status, const char *what) {
    if (status != CF_OK) {
        fprintf(stderr, "%s: %s\n", what, cf_status_message(status));
        exit(EXIT_FAILURE);
    }
}

int main(void) {
    static node nodes[NODES];
    node *root = NULL;
    uint32_t value = 1;
    uint64_t expected = 0;
    for (size_t i = 0; i < NODES; i++) {
        value = value * 1664525 + 1013904223; /* as if by chance, and the same in each run */
        nodes[i].value = value;
        root = add_node(root, &nodes[i]);
        expected += value;
    }

    cf_executor *pool;
    must(cf_thread_pool_create(NULL, &pool), "create");
    must(cf_executor_run(pool, sum_branch, root, NULL), "run");
    cf_executor_destroy(pool);

    printf("%d nodes: the sum is %" PRIu64 ", expected was %" PRIu64 "\n", NODES, root->sum,
           expected);
    return root->sum == expected ? EXIT_SUCCESS : EXIT_FAILURE;
}
