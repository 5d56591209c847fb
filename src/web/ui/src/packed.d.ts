/* Made by build.mjs from dashboards/*.yml; boards.ts gives it its type. */
declare module "boards" {
  const packed: unknown;
  export default packed;
}
