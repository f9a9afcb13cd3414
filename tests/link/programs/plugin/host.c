/* A program that has never heard of Rust: `host LOG PLUGIN`. */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    FILE *log = argc == 3 ? fopen(argv[1], "a") : NULL;
    if (!log) return 2;
    fseek(log, 0, SEEK_END);
    int first = ftell(log) == 0;
    fprintf(log, "main of %d\n", getpid());
    fclose(log);
    if (!first) return 99; /* it has started itself */

    void *plugin = dlopen(argv[2], RTLD_NOW);
    const char *(*report)(void) = plugin ? (const char *(*)(void))dlsym(plugin, "report") : NULL;
    if (!report) return 3;
    printf("plugin %s\n", report());
    printf("children %s\n", waitpid(-1, NULL, WNOHANG) == -1 ? "false" : "true");
    return 0;
}
