/* NVIDIA's driver, loaded when it is first asked for: the same elbo runs with and without a GPU. Kernels are PTX inside
 * of elbo, which the driver compiles for the GPU that is there.
 *
 * (No GPU has run this yet: see docs/cuda.md.) */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/cuda/driver_api.h"
#include "device/cuda/machine.h"
#include "device/cuda/ptx.h"

enum {
    LEAST_VERSION = 9000,
    LEAST_CAPABILITY = 70
}; // of the driver (CUDA 9.0), of the GPU (7.0): what the PTX asks for

typedef struct driver {
    void *library;
    elbo_cuda_api api;
    CUdevice gpu;
    CUcontext context;
    CUmodule module;
    CUstream stream;
    CUfunction function[ELBO_GPU_KERNELS];
} driver;

static elbo_status fail_call(const driver *d, CUresult code, const char *what, elbo_error *err) {
    const char *text = NULL;
    if (d->api.GetErrorString(code, &text) != 0 || !text) text = "unknown error";
    return elbo_fail(err, ELBO_IO, "device `cuda`: %s failed: %s (%d)", what, text, code);
}

#define CALL(d, name, ...)                                                                                             \
    do {                                                                                                               \
        CUresult code_ = (d)->api.name(__VA_ARGS__);                                                                   \
        if (code_ != 0) return fail_call(d, code_, "cu" #name, err);                                                   \
    } while (0)

static elbo_status load(driver *d, elbo_error *err) {
    if (!*elbo_gpu_ptx)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "device `cuda`: this elbo was built without its kernels; build it where clang is");
    d->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!d->library)
        return elbo_fail(err, ELBO_BAD_INPUT, "device `cuda`: there is no NVIDIA driver here (libcuda.so.1)");
    static const char *const names[] = {
#define CUDA_FUNCTION(name, symbol, ...) symbol,
#include "device/cuda/driver_api.def"
#undef CUDA_FUNCTION
    };
    void **to = (void **)(void *)&d->api;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(to[i] = dlsym(d->library, names[i])))
            return elbo_fail(err, ELBO_BAD_INPUT, "device `cuda`: the NVIDIA driver is too old: it has no %s",
                             names[i]);
    return ELBO_OK;
}

/* The first GPU, if driver and GPU are new enough. */
static elbo_status find_gpu(driver *d, elbo_error *err) {
    int version = 0, count = 0, major = 0, minor = 0;
    CUresult code = d->api.Init(0);
    if (code == 0) code = d->api.DeviceGetCount(&count);
    if (code != 0 || count == 0) {
        const char *text = NULL;
        if (code == 0 || d->api.GetErrorString(code, &text) != 0 || !text) text = "none";
        return elbo_fail(err, ELBO_BAD_INPUT, "device `cuda`: the NVIDIA driver finds no GPU: %s", text);
    }
    CALL(d, DriverGetVersion, &version);
    if (version < LEAST_VERSION)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "device `cuda`: the NVIDIA driver is for CUDA %d.%d; %d.0 or later is needed", version / 1000,
                         version % 1000 / 10, LEAST_VERSION / 1000);
    CALL(d, DeviceGet, &d->gpu, 0);
    CALL(d, DeviceGetAttribute, &major, CU_COMPUTE_CAPABILITY_MAJOR, d->gpu);
    CALL(d, DeviceGetAttribute, &minor, CU_COMPUTE_CAPABILITY_MINOR, d->gpu);
    if (10 * major + minor < LEAST_CAPABILITY)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "device `cuda`: the GPU's compute capability is %d.%d; %d.0 or more is needed", major, minor,
                         LEAST_CAPABILITY / 10);
    return ELBO_OK;
}

/* Each call may come from another thread. */
static elbo_status enter(const driver *d, elbo_error *err) {
    CALL(d, CtxSetCurrent, d->context);
    return ELBO_OK;
}

static elbo_status begin(driver *d, elbo_error *err) {
    ELBO_TRY(load(d, err));
    ELBO_TRY(find_gpu(d, err));
    CALL(d, DevicePrimaryCtxRetain, &d->context, d->gpu);
    ELBO_TRY(enter(d, err));
    CALL(d, ModuleLoadData, &d->module, elbo_gpu_ptx);
    CALL(d, StreamCreate, &d->stream, CU_STREAM_NON_BLOCKING);
    for (int k = 0; k < ELBO_GPU_KERNELS; k++)
        CALL(d, ModuleGetFunction, &d->function[k], d->module, elbo_gpu_kernel_names[k]);
    return ELBO_OK;
}

static void close_driver(void *self) {
    driver *d = self;
    if (d->context) {
        d->api.CtxSetCurrent(d->context);
        if (d->stream) d->api.StreamDestroy(d->stream);
        if (d->module) d->api.ModuleUnload(d->module);
        d->api.DevicePrimaryCtxRelease(d->gpu);
    }
    if (d->library) dlclose(d->library);
    free(d);
}

static elbo_status open_driver(void **self, elbo_error *err) {
    driver *d = elbo_alloc(1, sizeof *d);
    if (!d) return elbo_no_memory(err);
    elbo_status status = begin(d, err);
    if (status == ELBO_OK)
        *self = d;
    else
        close_driver(d);
    return status;
}

elbo_status elbo_gpu_driver_there(elbo_error *err) {
    driver *d = elbo_alloc(1, sizeof *d);
    if (!d) return elbo_no_memory(err);
    elbo_status status = load(d, err);
    if (status == ELBO_OK) status = find_gpu(d, err);
    close_driver(d);
    return status;
}

static elbo_status take(void *self, void *at, size_t bytes, elbo_error *err) {
    const driver *d = self;
    CUdeviceptr taken = 0;
    ELBO_TRY(enter(d, err));
    CALL(d, MemAlloc, &taken, bytes);
    memcpy(at, &taken, sizeof taken);
    CALL(d, MemsetD8Async, taken, 0, bytes, d->stream);
    return ELBO_OK;
}

/* Waits for what may still use it. */
static void give_back(void *self, void *at) {
    const driver *d = self;
    d->api.CtxSetCurrent(d->context);
    d->api.StreamSynchronize(d->stream);
    d->api.MemFree((CUdeviceptr)(uintptr_t)at);
}

/* From memory that the driver has not pinned, this returns when `from` has been copied. */
static elbo_status write_to(void *self, void *to, const void *from, size_t bytes, elbo_error *err) {
    const driver *d = self;
    ELBO_TRY(enter(d, err));
    CALL(d, MemcpyHtoDAsync, (CUdeviceptr)(uintptr_t)to, from, bytes, d->stream);
    return ELBO_OK;
}

static elbo_status read_from(void *self, void *to, const void *from, size_t bytes, elbo_error *err) {
    const driver *d = self;
    ELBO_TRY(enter(d, err));
    CALL(d, MemcpyDtoHAsync, to, (CUdeviceptr)(uintptr_t)from, bytes, d->stream);
    CALL(d, StreamSynchronize, d->stream);
    return ELBO_OK;
}

static elbo_status launch(void *self, elbo_gpu_kernel kernel, int blocks, const elbo_gpu_launch *l, elbo_error *err) {
    const driver *d = self;
    elbo_gpu_launch copy = *l;
    void *arguments[] = {&copy};
    ELBO_TRY(enter(d, err));
    CALL(d, LaunchKernel, d->function[kernel], (unsigned)blocks, 1, 1, (unsigned)elbo_gpu_kernel_threads[kernel], 1, 1,
         0, d->stream, arguments, NULL);
    return ELBO_OK;
}

const elbo_gpu_machine elbo_gpu_driver = {.open = open_driver,
                                          .close = close_driver,
                                          .take = take,
                                          .give_back = give_back,
                                          .write = write_to,
                                          .read = read_from,
                                          .launch = launch};
