/** Modules that are dangerous with everything in them, their submodules too: what is above the names that follow. */
const packages = new Set(
  words(`
  aiohttp asyncio cffi cloudpickle ctypes dill distutils ensurepip fabric http httpx idlelib importlib IPython lib2to3
  multiprocessing numpy.distutils numpy.f2py numpy.testing os paramiko pip pkg_resources requests setuptools sqlite3
  test.support tkinter unittest urllib urllib2 urllib3 venv xmlrpc torch._inductor torch.distributed.elastic
  torch.distributed.rpc torch.hub torch.package torch.testing._internal torch.utils.benchmark torch.utils.bottleneck
  torch.utils.cpp_extension
`),
);

/** The same for modules without submodules, so that somebody's own package `code.models` stays their own. */
const modules = new Set(
  words(`
  _aix_support _cffi_backend _ctypes _frozen_importlib _frozen_importlib_external _imp _interpreters
  _osx_support _pickle _posixsubprocess _pyio _signal _socket _sqlite3 _ssl _testcapi _thread _winapi
  _winreg _xxsubinterpreters antigravity atexit bdb cPickle cProfile cgitb codeop compileall doctest
  fileinput filecmp ftplib glob httplib imaplib imp jsonpickle linecache marshal mmap modulefinder msvcrt
  nntplib nt numpy.ctypeslib os.path pandas.io.pickle pdb pexpect pickle pipes pkgutil popen2 poplib posix
  pstats psutil pty py_compile pydoc rlcompleter runpy select selectors shelve shutil signal smtplib socket
  socketserver SocketServer ssl subprocess sys syslog tarfile telnetlib tempfile threading timeit webbrowser
  win32api winreg xmlrpclib zipapp zipfile zipimport torch.distributed.launch torch.distributed.run
  torch.jit.unsupported_tensor_ops torch.utils._config_module torch.utils.collect_env torch.utils.model_zoo
  torch.utils.show_pickle torch.utils.data.datapipes.utils.decoder logging.config logging.handlers
`),
);

/** Single names in modules that also have harmless ones. What lies below a name is as dangerous as the name. */
const byModule: Readonly<Record<string, string>> = {
  builtins: `__build_class__ __import__ apply breakpoint compile delattr dir eval exec execfile exit file getattr
    globals help input intern locals memoryview open quit raw_input reload setattr vars`,
  _codecs: "lookup register register_error",
  code: "InteractiveConsole InteractiveInterpreter interact",
  codecs: "open lookup register",
  commands: "getoutput getstatus getstatusoutput",
  copyreg: "add_extension clear_extension_cache constructor pickle remove_extension",
  dataclasses: "_create_fn make_dataclass",
  io: "FileIO open open_code",
  _io: "FileIO open open_code",
  joblib: "load",
  "joblib.numpy_pickle": "NumpyUnpickler ZipNumpyUnpickler _unpickle load load_temporary_memmap",
  "joblib.numpy_pickle_compat": "ZipNumpyUnpickler load_compatibility",
  logging: "FileHandler",
  new: "classobj code function instance instancemethod module",
  operator: "attrgetter call methodcaller",
  platform: "_syscmd_file _syscmd_ver popen",
  profile: "Profile run runctx",
  site: "addsitedir addpackage execsitecustomize main",
  trace: "Trace",
  types: "CodeType FunctionType LambdaType ModuleType",
  typing: "get_type_hints",
  uuid: "_get_command_stdout _popen getnode",
  "hydra.utils": "call get_class get_method get_object instantiate",
  "hydra._internal.utils": "_locate",
  "hydra._internal.instantiate._instantiate2": "instantiate",
  numexpr: "evaluate",
  numpy: "DataSource fromfile genfromtxt load loadtxt safe_eval save savetxt savez",
  "numpy.lib.npyio": "DataSource NpzFile genfromtxt load loadtxt save savetxt savez",
  "numpy.lib._npyio_impl": "genfromtxt load loadtxt save savetxt savez",
  "numpy.lib.format": "read_array",
  "numpy.lib.utils": "safe_eval source",
  pandas: "eval read_pickle",
  "pandas.core.computation.eval": "eval",
  "pandas.core.frame": "DataFrame.eval DataFrame.query DataFrame.to_pickle",
  sympy: "lambdify sympify",
  "sympy.core.sympify": "sympify",
  "sympy.parsing.sympy_parser": "eval_expr parse_expr",
  yaml: "full_load load load_all unsafe_load unsafe_load_all",
  torch: "load save hub",
  "torch._dynamo.guards": "GuardBuilder.get",
  "torch._ops": "_Ops.load_library ops.load_library",
  "torch._utils_internal": "get_file_path resolve_library_path",
  "torch.distributed.nn.jit.instantiator": "_write instantiate_non_scriptable_remote_module_template",
  "torch.fx.experimental.symbolic_shapes": "ShapeEnv.evaluate_guards_expression",
  "torch.fx.graph_module": `_deserialize_graph_module _exec_with_source _forward_from_src _method_from_src
    reduce_deploy_graph_module reduce_graph_module reduce_package_graph_module`,
  "torch.jit": "load",
  "torch.jit._serialization": "jit_module_from_flatbuffer load",
  "torch.multiprocessing": "spawn start_processes",
  "torch.multiprocessing.spawn": "spawn start_processes",
  "torch.serialization": "_legacy_load _load load save",
  "torch.utils.data": "_utils.worker._worker_loop",
};

/** What other modules import under its own name, so that `some.module os` is the module `os`. */
const notorious = new Set(
  words(
    "builtins ctypes importlib nt os pickle posix pty runpy shutil socket subprocess sys __builtin__ __builtins__",
  ),
);

/** The same modules under their names in Python 2 or in C. */
const aliases: Readonly<Record<string, string>> = {
  __builtin__: "builtins",
  __builtins__: "builtins",
  _operator: "operator",
  copy_reg: "copyreg",
};

const names: ReadonlySet<string> = new Set(
  Object.entries(byModule).flatMap(([module, list]) => words(list).map((name) => `${module}\n${name}`)),
);

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

/** Whether a name, dotted or not, is known to run code, read or write files, reach the network, or lead to something that does. */
export function isDangerous(module: string, name: string): boolean {
  if (isDangerousModule(module)) return true;
  const parts = name.split(".");
  const home = aliases[module] ?? module;
  if (parts.some((_, index) => names.has(`${home}\n${parts.slice(0, index + 1).join(".")}`))) return true;
  // Within a class there is the way back to the interpreter: `system.__call__`, `f.__globals__`.
  if (parts.length > 1 && parts.some((part) => part.startsWith("__") && part.endsWith("__"))) return true;
  if (name === "__dict__" || name === "__builtins__" || name === "__loader__") return true;
  if (parts.length > 1 && module.startsWith("pathlib")) return true;
  return parts.length === 1 ? notorious.has(bare(name)) : leadsElsewhere(parts);
}

function isDangerousModule(module: string): boolean {
  if (modules.has(module) || packages.has(module)) return true;
  for (let at = module.indexOf("."); at >= 0; at = module.indexOf(".", at + 1))
    if (packages.has(module.slice(0, at))) return true;
  return false;
}

/** `torch.serialization os.system`: a module that another one has imported. */
function leadsElsewhere(parts: readonly string[]): boolean {
  return parts.some((part, index) => {
    const rest = parts.slice(index + 1);
    if (notorious.has(bare(part))) return true;
    return rest.length > 0 && (isDangerousModule(bare(part)) || names.has(`${bare(part)}\n${rest[0]}`));
  });
}

/** Many modules import others under their name with an underscore before it. */
function bare(name: string): string {
  return name.startsWith("__") ? name : name.replace(/^_/, "");
}
