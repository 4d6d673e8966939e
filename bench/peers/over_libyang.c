/* One contender of F3: three sources merged by libyang, the weakest first.
 *
 *     over_libyang FOLDER SOURCE...
 *
 * A source is a file of lines "./A/B/Leaf value" in the order of the tree; FOLDER holds f3.yang,
 * in which a node above a leaf is an entry of a list. Prints the values in force as lines of the
 * same form, then a line of JSON: microseconds a leaf to take all in, and the peak of memory above
 * what the schema took. Then each line that it reads asks for one more merge, and it answers with
 * the microseconds that it took.
 */
#include <libyang/libyang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEPTH = 8, LINE = 4096 };

static const struct lys_module *module;

static void check(LY_ERR code, const char *what)
{
    if (code != LY_SUCCESS) {
        fprintf(stderr, "over_libyang: %s: %d\n", what, code);
        exit(1);
    }
}

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

/* The entries that the last line went through; the next line mostly goes through the same. */
struct way {
    char names[DEPTH][128];
    struct lyd_node *entries[DEPTH];
    int length;
};

static void take(struct way *way, struct lyd_node **tree, char *line)
{
    char *value = strchr(line, ' ');
    char *segments[DEPTH + 1];
    int count = 0, same = 0;

    *value++ = '\0';
    value[strcspn(value, "\n")] = '\0';
    for (char *name = strtok(line + 2, "/"); name; name = strtok(NULL, "/")) {
        segments[count++] = name;
    }
    while (same < count - 1 && same < way->length && !strcmp(way->names[same], segments[same])) {
        same++;
    }
    for (; same < count - 1; same++) {
        char list[8];
        struct lyd_node *parent = same ? way->entries[same - 1] : NULL, *entry;

        snprintf(list, sizeof list, "l%d", same + 1);
        check(lyd_new_list(parent, module, list, 0, &entry, segments[same]), "list");
        if (!parent) {
            check(lyd_insert_sibling(*tree, entry, tree), "insert");
        }
        strcpy(way->names[same], segments[same]);
        way->entries[same] = entry;
    }
    way->length = count - 1;
    check(lyd_new_term(way->entries[count - 2], module, segments[count - 1], value, 0, NULL), "leaf");
}

static struct lyd_node *source(const char *path, double *taken_us, unsigned long *leaves)
{
    static char line[LINE];
    struct lyd_node *tree = NULL;
    struct way way = {.length = 0};
    FILE *file = fopen(path, "r");

    if (!file) {
        perror(path);
        exit(1);
    }
    double start = now_us();
    while (fgets(line, sizeof line, file)) {
        take(&way, &tree, line);
        (*leaves)++;
    }
    *taken_us += now_us() - start;
    fclose(file);
    return tree;
}

static void print(const struct lyd_node *siblings, char *path, size_t length)
{
    const struct lyd_node *node;

    LY_LIST_FOR (siblings, node) {
        if (node->schema->nodetype == LYS_LIST) {
            const char *name = lyd_get_value(lyd_child(node));
            int added = snprintf(path + length, LINE - length, "/%s", name);

            print(lyd_child(node), path, length + added);
            path[length] = '\0';
        } else if (strcmp(node->schema->name, "name")) {
            printf("%s/%s %s\n", path, node->schema->name, lyd_get_value(node));
        }
    }
}

/* Not from getrusage: there the peak is that of whoever started this program, too. */
static long peak_kb(void)
{
    char line[LINE];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "VmHWM: %ld", &kb);
    }
    if (file) {
        fclose(file);
    }
    return kb;
}

/* The sources stay as they are: the first is copied, the others are merged into the copy. */
static struct lyd_node *merge(struct lyd_node **trees, int count, double *taken_us)
{
    struct lyd_node *merged = NULL;
    double start = now_us();

    check(lyd_dup_siblings(trees[0], NULL, LYD_DUP_RECURSIVE, &merged), "copy");
    for (int i = 1; i < count; i++) {
        check(lyd_merge_siblings(&merged, trees[i], 0), "merge");
    }
    *taken_us = now_us() - start;
    return merged;
}

int main(int argc, char **argv)
{
    enum { MOST = 8 };
    static char path[LINE] = ".";
    struct ly_ctx *context;
    struct lyd_node *trees[MOST], *merged;
    int count = argc - 2 < MOST ? argc - 2 : MOST;
    unsigned long leaves = 0;
    double taken_us = 0, merge_us;

    check(ly_ctx_new(argv[1], 0, &context), "context");
    module = ly_ctx_load_module(context, "f3", NULL, NULL);
    if (!module || count < 1) {
        return 1;
    }
    long before_kb = peak_kb();
    for (int i = 0; i < count; i++) {
        trees[i] = source(argv[i + 2], &taken_us, &leaves);
    }
    merged = merge(trees, count, &merge_us);
    long taken_kb = peak_kb() - before_kb;
    print(lyd_first_sibling(merged), path, 1);
    printf("{\"ingest_us\": %f, \"peak_bytes\": %ld}\n", taken_us / leaves, taken_kb * 1024);
    fflush(stdout);
    for (int c; (c = getchar()) != EOF;) {
        if (c == '\n') {
            lyd_free_all(merged);
            merged = merge(trees, count, &merge_us);
            printf("%f\n", merge_us);
            fflush(stdout);
        }
    }
    return 0;
}
