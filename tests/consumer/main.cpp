// SPDX-License-Identifier: MIT
/*
 * The same from C++17: the headers say extern "C", and a lambda that holds nothing is a handler.
 */
#include <cstdio>
#include <warren/warren.h>

int main()
{
    warren_handler *handler = [](warren_job *job, void *) -> warren_verdict {
        const char *name = warren_job_string(job, "name");
        return name ? WARREN_DONE : warren_dead(job, "no 'name'");
    };
    std::printf("%s %d\n", warren_status_name(WARREN_TIMEOUT), warren_exit_code(WARREN_TIMEOUT));
    return handler ? 0 : 1;
}
