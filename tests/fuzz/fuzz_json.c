/* Fuzz target: any text is refused or becomes a tree; what is printed of a tree is taken again and
 * prints the same. */
#include "common/assert.h"
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vs_json *first, *second;
    char *text, *again;

    if (vs_json_parse((const char *)data, size, &first) < 0)
        return 0;
    text = vs_json_print(first, (size & 1) != 0);
    VS_ASSERT(text != NULL);
    VS_ASSERT(vs_json_parse(text, strlen(text), &second) == 0);
    again = vs_json_print(second, (size & 1) != 0);
    VS_ASSERT(again != NULL && strcmp(text, again) == 0);
    free(again);
    free(text);
    vs_json_free(second);
    vs_json_free(first);
    return 0;
}
