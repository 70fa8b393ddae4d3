/* A switch of fibers is a dozen instructions: swapcontext would ask the kernel twice for the signal mask. */
#include "device/cuda/shim/fiber.h"

#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif
#ifdef ASAN
#include <sanitizer/common_interface_defs.h>
static _Thread_local const void *scheduler_stack;
static _Thread_local size_t scheduler_size;
#endif

/* Saves what a called function must keep, stores the stack pointer in *from, takes `to` and returns there. */
void elbo_fiber_switch(void **from, void *to);
#if defined(__x86_64__)
enum { SAVED = 6 }; // registers, below the address to return to
__asm__(".text\n.globl elbo_fiber_switch\n.hidden elbo_fiber_switch\n.type elbo_fiber_switch,@function\n"
        "elbo_fiber_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n.size elbo_fiber_switch,.-elbo_fiber_switch\n"
        ".section .note.GNU-stack,\"\",@progbits\n.text\n");

void elbo_fiber_make(elbo_fiber *f, void (*start)(void)) {
    uintptr_t top = ((uintptr_t)f->stack + ELBO_FIBER_STACK) & ~(uintptr_t)15;
    void **at = (void **)top - 2 - SAVED; // a called function finds the stack 8 off a multiple of 16
    for (int i = 0; i < SAVED; i++) at[i] = NULL;
    at[SAVED] = (void *)(uintptr_t)start;
    at[SAVED + 1] = NULL;
    f->stack_pointer = at;
}
#elif defined(__aarch64__)
enum { SAVED = 20 }; // x19 to x30, d8 to d15
__asm__(".text\n.globl elbo_fiber_switch\n.hidden elbo_fiber_switch\n.type elbo_fiber_switch,%function\n"
        "elbo_fiber_switch:\n"
        "  sub sp, sp, #160\n"
        "  stp x19, x20, [sp]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n  stp x25, x26, [sp, #48]\n"
        "  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
        "  mov x2, sp\n  str x2, [x0]\n  mov sp, x1\n"
        "  ldp x19, x20, [sp]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n  ldp x25, x26, [sp, #48]\n"
        "  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #160\n  ret\n.size elbo_fiber_switch,.-elbo_fiber_switch\n");

void elbo_fiber_make(elbo_fiber *f, void (*start)(void)) {
    uintptr_t top = ((uintptr_t)f->stack + ELBO_FIBER_STACK) & ~(uintptr_t)15;
    void **at = (void **)top - SAVED;
    for (int i = 0; i < SAVED; i++) at[i] = NULL;
    at[11] = (void *)(uintptr_t)start; // x30
    f->stack_pointer = at;
}
#else
#error "device `shim` knows how to switch stacks on x86-64 and 64-bit ARM; build with -Dtests=false"
#endif

void elbo_fiber_enter(elbo_fiber *scheduler, elbo_fiber *to) {
#ifdef ASAN
    __sanitizer_start_switch_fiber(&scheduler->fake_stack, to->stack, ELBO_FIBER_STACK);
#endif
    elbo_fiber_switch(&scheduler->stack_pointer, to->stack_pointer);
#ifdef ASAN
    __sanitizer_finish_switch_fiber(scheduler->fake_stack, NULL, NULL);
#endif
}

void elbo_fiber_leave(elbo_fiber *from, elbo_fiber *scheduler, int ends) {
#ifdef ASAN
    __sanitizer_start_switch_fiber(ends ? NULL : &from->fake_stack, scheduler_stack, scheduler_size);
#else
    (void)ends;
#endif
    elbo_fiber_switch(&from->stack_pointer, scheduler->stack_pointer);
#ifdef ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, &scheduler_stack, &scheduler_size);
#endif
}

void elbo_fiber_started(void) {
#ifdef ASAN
    __sanitizer_finish_switch_fiber(NULL, &scheduler_stack, &scheduler_size);
#endif
}
