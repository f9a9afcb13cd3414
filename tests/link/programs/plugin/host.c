/* A program that has never heard of Rust: `host LOG PLUGIN`. */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    FILE *log = argc == 3 ? fopen(argv[1], "a") : NULL;
    if (!log) return 2;
    fprintf(log, "main of %d\n", getpid());
    if (ftell(log) > 40) return 99; /* more than one line: it started itself */
    fclose(log);

    void *plugin = dlopen(argv[2], RTLD_NOW);
    const char *(*report)(void) = plugin ? (const char *(*)(void))dlsym(plugin, "report") : NULL;
    if (!report) return 3;
    printf("plugin %s\n", report());
    printf("children %s\n", waitpid(-1, NULL, WNOHANG) == -1 ? "false" : "true");
    return 0;
}
