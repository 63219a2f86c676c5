import { select, type ZoomBehavior, zoom, zoomIdentity, zoomTransform } from 'd3'
import type { Point } from './layered.ts'

const PADDING = 28
const SCALE = { least: 0.15, most: 3, fitted: 1.15 }

/** Which part of the drawing is seen: dragging, the wheel and the keys change it. */
export class Viewport {
  transform = $state('translate(0,0) scale(1)')
  width = $state(0)
  height = $state(0)
  #svg: SVGSVGElement | undefined
  #scene = { width: 0, height: 0 }
  #moved = false
  /** The width at the last fit. */
  #fitted = 0
  readonly #zoom: ZoomBehavior<SVGSVGElement, unknown> = zoom<SVGSVGElement, unknown>()
    .scaleExtent([SCALE.least, SCALE.most])
    .on('zoom', (event: { transform: { toString(): string }; sourceEvent: unknown }) => {
      this.transform = event.transform.toString()
      if (event.sourceEvent) this.#moved = true
    })

  /** An attachment: takes the element's pointer events as long as it is there. */
  readonly attach = (svg: SVGSVGElement): (() => void) => {
    this.#svg = svg
    select(svg).call(this.#zoom).on('dblclick.zoom', null)
    return () => {
      select(svg).on('.zoom', null)
      this.#svg = undefined
    }
  }

  /**
   * Shows the whole of a new drawing. A change of the width fits it again unless the reader has moved it; a change of
   * the height does not, for opening a panel below must not shrink what was just clicked.
   */
  show(scene: { width: number; height: number }): void {
    const isNew = scene.width !== this.#scene.width || scene.height !== this.#scene.height
    const isWider = this.width !== this.#fitted
    this.#scene = scene
    if (isNew || (isWider && !this.#moved)) this.fit()
  }

  fit(): void {
    if (this.#svg === undefined || this.width === 0 || this.height === 0) return
    const { width, height } = this.#scene
    const room = { width: this.width - 2 * PADDING, height: this.height - 2 * PADDING }
    const k = Math.max(
      SCALE.least,
      Math.min(SCALE.fitted, room.width / Math.max(1, width), room.height / Math.max(1, height)),
    )
    const fitted = zoomIdentity.translate((this.width - width * k) / 2, (this.height - height * k) / 2).scale(k)
    this.#zoom.transform(select(this.#svg), fitted)
    this.#moved = false
    this.#fitted = this.width
  }

  scaleBy(factor: number): void {
    if (this.#svg === undefined) return
    this.#zoom.scaleBy(select(this.#svg), factor)
    this.#moved = true
  }

  /** Brings a point into view if it is not: the focus must never be on something unseen. */
  reveal(point: Point): void {
    if (this.#svg === undefined) return
    const { k, x, y } = zoomTransform(this.#svg)
    const at = { x: point.x * k + x, y: point.y * k + y }
    const inside = at.x > PADDING && at.y > PADDING && at.x < this.width - PADDING && at.y < this.height - PADDING
    if (!inside) this.#zoom.translateTo(select(this.#svg), point.x, point.y)
  }
}
