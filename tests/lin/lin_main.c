/* lin: checks histories of real runs.
 *
 *   lin FILE...       one JSON object per line, see tests/lin/lin_history.h
 *
 * Exit code 0: checked, nothing found; 1: a violation; 2: not checked. */
#include "tests/lin/lin_run.h"

int main(int argc, char **argv)
{
    return lin_run(stdout, argc - 1, argv + 1);
}
