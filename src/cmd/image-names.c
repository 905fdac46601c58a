/* Which image a name and a platform mean. */
#include "image-names.h"

#include "whelk/err.h"
#include "whelk/units.h"

static void platform_of(const struct image_config *c, struct platform *ret)
{
    *ret = (struct platform){
        .os = xstrdup(image_config_os(c)),
        .architecture = xstrdup(image_config_architecture(c)),
        .variant = xstrdup(json_str(c->root, "variant")),
    };
}

/* The image itself: is it for the platform? */
static int check_image(const struct store *s, const char *id, const struct platform *want)
{
    auto_with(image_config_done) struct image_config config = {0};
    auto_with(platform_done) struct platform have = {0};
    int r = image_load_config(s, id, &config);
    if (r < 0)
        return r;
    platform_of(&config, &have);
    if (platform_score(want, &have))
        return 0;
    auto_free char *wanted = platform_text(want), *there = platform_text(&have), *shown = str_printable(there);
    return err_set(-ENOENT, "image %.12s is for %s, not for %s (whelk pull --platform gets another one)", id, shown,
                   wanted);
}

/* The entry of the index that the name says, if its image is here. -ENOENT without text. */
static int find_in_index(const struct store *s, const char *index, const struct platform *want, char **ret_id)
{
    auto_with(manifest_done) struct manifest m = {0};
    const struct descriptor *d;
    auto_free char *bytes = NULL;
    size_t len;
    int r = index_read(s, index, &bytes, &len);
    if (r == 0)
        r = manifest_parse(bytes, len, NULL, &m);
    if (r == 0)
        r = manifest_pick(&m, want, &d);
    return r < 0 ? r : image_by_manifest(s, d->digest, ret_id);
}

int image_find_platform(const struct store *s, const char *typed, const char *platform, char **ret_id,
                        char **ret_reference)
{
    auto_with(platform_done) struct platform want = {0};
    auto_with(image_name_done) struct image_name name = {0};
    auto_free char *id = NULL, *reference = NULL, *other = NULL;
    int r = platform ? platform_parse(platform, &want) : 0;
    if (r == 0)
        r = image_find(s, typed, &id, &reference);
    if (r < 0)
        return r;
    if (platform && reference && name_get_all(s, reference, &name) == 0 && name.index &&
        find_in_index(s, name.index, &want, &other) == 0) {
        free(id);
        id = take_ptr(&other);
    }
    r = platform ? check_image(s, id, &want) : 0;
    if (r < 0)
        return r;
    *ret_id = take_ptr(&id);
    if (ret_reference)
        *ret_reference = take_ptr(&reference);
    return 0;
}

void image_say_blob(void *arg, const struct descriptor *d, bool there)
{
    char size[16];
    if (!isatty(STDERR_FILENO))
        return;
    if (there)
        fprintf(stderr, "%.19s is there\n", d->digest);
    else
        fprintf(stderr, "%s %.19s %s\n", (const char *)arg, d->digest,
                d->size >= 0 ? size_format((uint64_t)d->size, size) : "");
}
