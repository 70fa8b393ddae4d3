/* In place of NVIDIA's driver, for test_no_gpu.sh: a library of this name that has all functions, of a machine that has no
 * GPU, or one that is too old, as FAKE_GPU says. */
#include <stdlib.h>
#include <string.h>

#include "device/cuda/driver_api.h"

static int is(const char *what) {
    const char *fake = getenv("FAKE_GPU");
    return fake && !strcmp(fake, what);
}

#define EXPORT __attribute__((visibility("default")))
#define STUB(symbol) EXPORT CUresult symbol(void)
#define STUB_OF(symbol)                                                                                                \
    STUB(symbol);                                                                                                      \
    STUB(symbol) { return 999; }
EXPORT CUresult cuInit(unsigned flags);
CUresult cuInit(unsigned flags) { return (void)flags, is("none") ? 100 : 0; }
EXPORT CUresult cuGetErrorString(CUresult code, const char **text);
CUresult cuGetErrorString(CUresult code, const char **text) {
    *text = code == 100 ? "no CUDA-capable device is detected" : code == 2 ? "out of memory" : "unknown error";
    return 0;
}
EXPORT CUresult cuDriverGetVersion(int *version);
CUresult cuDriverGetVersion(int *version) { return *version = is("old driver") ? 8000 : 13000, 0; }
EXPORT CUresult cuDeviceGetCount(int *count);
CUresult cuDeviceGetCount(int *count) { return *count = 1, 0; }
EXPORT CUresult cuDeviceGet(CUdevice *device, int number);
CUresult cuDeviceGet(CUdevice *device, int number) { return *device = number, 0; }
EXPORT CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device);
CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
    *value = attribute == CU_COMPUTE_CAPABILITY_MAJOR ? (is("old gpu") ? 6 : 9) : 1;
    return (void)device, 0;
}
EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *at, size_t bytes);
CUresult cuMemAlloc_v2(CUdeviceptr *at, size_t bytes) { return *at = 0, (void)bytes, 2; }
EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device);
CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    return *context = (CUcontext)(void *)&is, (void)device, 0;
}
EXPORT CUresult cuModuleLoadData(CUmodule *module, const void *image);
CUresult cuModuleLoadData(CUmodule *module, const void *image) { return *module = (CUmodule)(uintptr_t)image, 0; }
EXPORT CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name);
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    return *function = (CUfunction)(uintptr_t)name, strstr((const char *)module, name) ? 0 : 500;
}
EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned flags);
CUresult cuStreamCreate(CUstream *stream, unsigned flags) { return *stream = (CUstream)(void *)&is, (void)flags, 0; }
EXPORT CUresult cuCtxSetCurrent(CUcontext context);
CUresult cuCtxSetCurrent(CUcontext context) { return (void)context, 0; }
STUB_OF(cuDevicePrimaryCtxRelease_v2)
STUB_OF(cuModuleUnload)
STUB_OF(cuMemFree_v2)
STUB_OF(cuMemsetD8Async)
STUB_OF(cuMemcpyHtoDAsync_v2)
STUB_OF(cuMemcpyDtoHAsync_v2)
STUB_OF(cuStreamDestroy_v2)
STUB_OF(cuStreamSynchronize)
STUB_OF(cuLaunchKernel)
