// Types of imported models, for a tsconfig with "types": ["tensorferry/client"].
declare module "*.pth" {
  /** Address of the safetensors file. */
  const url: string;
  export default url;
}
declare module "*.pt" {
  /** Address of the safetensors file. */
  const url: string;
  export default url;
}
declare module "*.ckpt" {
  /** Address of the safetensors file. */
  const url: string;
  export default url;
}
// With a query; TypeScript allows one asterisk only.
declare module "*&safetensors" {
  /** Address of the safetensors file. */
  const url: string;
  export default url;
}
