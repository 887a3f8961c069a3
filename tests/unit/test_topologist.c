// SPDX-License-Identifier: MIT
// The topologist's stories on the memory broker.
#include "topology_stories.h"

#include "io/memory.h"

static const char *story_url(void)
{
    return "memory:topologist";
}

int main(void)
{
    struct wr_memory *server = wr_memory_open("topologist", NULL);
    CU_initialize_registry();
    story_add_all(CU_add_suite("topologist", NULL, NULL));
    int failed = story_run();
    wr_memory_close(server);
    return failed;
}
